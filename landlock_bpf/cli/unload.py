# SPDX-License-Identifier: GPL-2.0-only
"""End all domains and take the engine out of the kernel.

Afterwards nothing of ours runs; the records of past denials stay under /run.
"""

from __future__ import annotations

import argparse

from landlock_bpf import cli, controller

EXAMPLES = """\
example:
  sudo landlock-bpf unload
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def main(args: argparse.Namespace) -> int:
    cli.require_root()
    with controller.Controller.open() as live:
        live.unload()
    return 0
