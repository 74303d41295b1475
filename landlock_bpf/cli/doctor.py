# SPDX-License-Identifier: GPL-2.0-only
"""Say line by line what this kernel and toolchain can do, what is missing and how to mend it; then prove it.

The proof is a canary: a process of our own is confined and tries to read a file that its policy denies. It must succeed
before, be refused with EACCES after, and the denial must be reported. Exit status 0 means that all of this was seen.
"""
from __future__ import annotations

import argparse
import os
import sys

from landlock_bpf import errors, features
from landlock_bpf.cli import output

EXAMPLES = """\
example:
  sudo landlock-bpf doctor
"""

_COLOURS = {"yes": "\033[32m", "no": "\033[31m", "unknown": "\033[33m"}
CANARY = "enforcement"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    output.add_arguments(parser)


def main(args: argparse.Namespace) -> int:
    found = list(features.probe())
    ill = any(feature.needed and feature.state == "no" for feature in found)
    found.append(_canary(ill))
    if args.json:
        output.print_json(found)
    else:
        _print(found)
    return 0 if all(feature.state == "yes" for feature in found if feature.needed) else 1


def _canary(ill: bool) -> features.Feature:
    if os.geteuid() != 0:
        return features.Feature(CANARY, "unknown", "only root can try it", "sudo landlock-bpf doctor", needed=True)
    if ill:
        return features.Feature(CANARY, "unknown", "not tried, as something it needs is missing", "mend the above", needed=True)
    from landlock_bpf import canary  # loads the engine's modules, which need what was just probed

    try:
        return features.Feature(CANARY, "yes", canary.sing(), "", needed=True)
    except (errors.Error, OSError) as error:
        return features.Feature(CANARY, "no", str(error), "mend what the error names", needed=True)


def _print(found: list[features.Feature]) -> None:
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    width = max(len(feature.name) for feature in found)
    for feature in found:
        state = f"{feature.state:7}"
        if coloured:
            state = f"{_COLOURS[feature.state]}{state}\033[0m"
        print(f"{feature.name:{width}}  {state}  {feature.detail}{'' if feature.needed else ' (optional)'}")
        if feature.remedy:
            print(f"{'':{width}}  {'':7}  -> {feature.remedy}")
