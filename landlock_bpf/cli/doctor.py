# SPDX-License-Identifier: GPL-2.0-only
"""Say line by line what this kernel and toolchain can do, what is missing and how to mend it; then prove it.

The proof is a canary: a process of our own is confined and tries to read a file that its policy denies. It must succeed
before, be refused with EACCES after, and the denial must be reported (`events` shows it, too). Exit status 0 means that all
of this was seen.
"""

from __future__ import annotations

import argparse
import os
import sys

from landlock_bpf import errors, features, terminal
from landlock_bpf.cli import output

EXAMPLES = """\
example:
  sudo landlock-bpf doctor
"""

_COLOURS = {"yes": "\033[32m", "no": "\033[31m", "unknown": "\033[33m"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    output.add_arguments(parser)


def main(args: argparse.Namespace) -> int:
    found = list(features.probe())
    width = max(len(feature.name) for feature in found)
    if not args.json:
        for feature in found:
            _print(feature, width)
    found.append(_canary(found))
    if args.json:
        output.print_json(found)
    else:
        _print(found[-1], width)
    return 0 if all(feature.state == "yes" for feature in found if feature.needed) else 1


def _canary(found: list[features.Feature]) -> features.Feature:
    def answer(state: features.State, detail: str, remedy: str = "") -> features.Feature:
        return features.Feature("enforcement", state, detail, remedy, needed=True)

    if os.geteuid() != 0:
        return answer("unknown", "only root can try it", "sudo landlock-bpf doctor")
    if any(feature.needed and feature.state == "no" for feature in found):
        return answer("unknown", "not tried, as something it needs is missing", "mend the above")
    from landlock_bpf import canary  # loads the engine's modules, which need what was just probed

    try:
        return answer("yes", canary.sing())
    except errors.UnsupportedError as error:
        return answer("no", error.feature, error.remedy)
    except (errors.Error, OSError) as error:
        return answer("no", str(error), "mend what this names, then try again")


def _print(feature: features.Feature, width: int) -> None:
    state = f"{feature.state:7}"
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        state = f"{_COLOURS[feature.state]}{state}\033[0m"
    optional = "" if feature.needed else " (optional)"
    print(f"{feature.name:{width}}  {state}  {terminal.shown(feature.detail)}{optional}", flush=True)
    if feature.remedy:
        print(f"{'':{width}}  {'':7}  -> {terminal.shown(feature.remedy)}", flush=True)
