# SPDX-License-Identifier: GPL-2.0-only
"""AppArmor: a profile kept in the kernel for a while, and a process that goes under it."""

from __future__ import annotations

import contextlib
import functools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from landlock_bpf import errors, features

PARSER = "apparmor_parser"
ATTRIBUTES = Path("/proc/self/attr/apparmor")


def missing() -> str | None:
    """Say why no profile can be loaded here, with the remedy; None where one can."""
    if why := features.missing_lsm("apparmor"):
        return why
    return None if shutil.which(PARSER) else f"{PARSER} is not installed; install it (Debian: apt-get install apparmor)"


@functools.cache
def version() -> str:
    """Ask the parser for its version."""
    first = subprocess.run([PARSER, "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]
    return first.rpartition(" ")[2]


@contextlib.contextmanager
def loaded(profile: str) -> Iterator[None]:
    """Keep a profile in the kernel, given as the parser reads it, until the end of the block."""
    _parse("--replace", profile)
    try:
        yield
    finally:
        _parse("--remove", profile)


def change_profile(name: str) -> None:
    """Put this process under a profile at once."""
    _write("current", "changeprofile", name)


def change_on_exec(name: str) -> None:
    """Put this process under a profile as it executes the next program."""
    _write("exec", "exec", name)


def _write(attribute: str, command: str, name: str) -> None:
    try:
        (ATTRIBUTES / attribute).write_text(f"{command} {name}")
    except OSError as error:
        raise errors.KernelError("enter the AppArmor profile", name, error.errno or 0) from error


def _parse(option: str, profile: str) -> None:
    words = [PARSER, option, "--skip-cache", "--quiet"]
    done = subprocess.run(words, input=profile, capture_output=True, text=True, check=False)
    if done.returncode:
        raise errors.Error(f"{PARSER} {option} failed: {done.stderr.strip() or f'status {done.returncode}'}")
