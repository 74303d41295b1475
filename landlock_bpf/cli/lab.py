# SPDX-License-Identifier: GPL-2.0-only
"""Try a known way of breaking out, for real, bare and under each mechanism in turn, and show what each stopped.

container-escape: crun starts a container into which a descriptor of the host's root leaks, and whose working directory is
that descriptor (the class of CVE-2024-21626). The container then reads, writes, truncates, gives away, ... files of the host,
all made for this in a folder of temporary files; no other file is touched. It is tried bare, with the landlock system calls,
and with policies/container.toml on the container's cgroup.

Exit status 0: bare, every step came about, so that there was something to stop; on the cgroup's policy, none did, while
the container's own files stayed usable; and all mechanisms are there. Else 1, and what went otherwise is said.
"""

from __future__ import annotations

import argparse
import signal

from landlock_bpf import cli, lab
from landlock_bpf.cli import output

EXAMPLES = """\
examples:
  sudo landlock-bpf lab container-escape
  vm/run -- landlock-bpf lab container-escape --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", choices=lab.EXPERIMENTS, metavar="EXPERIMENT", help=", ".join(lab.EXPERIMENTS))
    output.add_arguments(parser)


def main(args: argparse.Namespace) -> int:
    cli.require_root()
    from landlock_bpf.lab import escape, report  # not for --help to load

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing is left then either
    experiment = escape.run()
    if args.json:
        output.print_json(report.document(experiment))
    else:
        report.print_report(experiment)
    problems = list(experiment.problems())
    for each in problems:
        cli.complain(each)
    return 1 if problems else 0
