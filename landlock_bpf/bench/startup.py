# SPDX-License-Identifier: GPL-2.0-only
"""What starting a command under a mechanism takes in all, with ten rules: the processor time of all its processes."""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from landlock_bpf import bubblewrap, landlock
from landlock_bpf.bench import binaries, cases, mechanisms, spent, tree

if TYPE_CHECKING:
    from landlock_bpf.bench import rig

CASE = cases.Case(rules=10)
TIMES = 3
BARE, PYTHON, RUN, RUN_FIRST = "bare", "python", "run", "run-first"
# The mechanism under which each starts; those of another mechanism have its name.
MECHANISMS = {
    BARE: mechanisms.UNRESTRICTED,
    PYTHON: mechanisms.UNRESTRICTED,
    RUN: mechanisms.ENGINE,
    RUN_FIRST: mechanisms.ENGINE,
}
POLICY = "ten.toml"


@dataclasses.dataclass(frozen=True)
class Start:
    """A way to start a command: the median of several starts, in the clock's unit."""

    name: str
    text: str
    median: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class _Way:
    name: str
    text: str
    words: tuple[str, ...]


def measure(bench: rig.Rig, *, quick: bool) -> Iterator[Start]:
    """Start a program that ends at once in each way; with the engine, in a domain of ours as well."""
    live = bench.live
    for way in _ways(live is not None):
        if quick and way.name not in (PYTHON, RUN):
            continue
        kept = mechanisms.hooks_kept(live, bench.elsewhere) if live and way.name == RUN else contextlib.nullcontext()
        with bench.failures.of(mechanism_of(way.name)), kept:
            spent.of_command(way.words)  # the first reads files and loads what is missing
            found = sorted(spent.of_command(way.words) for _ in range(TIMES))
            yield Start(way.name, way.text, statistics.median(found), found[0], found[-1])


def mechanism_of(start: str) -> str:
    """Name the mechanism under which something starts."""
    return MECHANISMS.get(start, start)


def _ways(ours: bool) -> Iterator[_Way]:
    program = str(Path.cwd() / tree.folder(CASE.depth, 0) / tree.PROGRAM)
    paths = [str(Path.cwd() / path) for path in mechanisms.rule_paths(CASE)]
    yield _Way(BARE, "the program alone, which ends at once", (program,))
    yield _Way(PYTHON, "python3 -c pass", (sys.executable, "-c", "pass"))
    if not landlock.missing():
        rights = str(landlock.access_fs(landlock.rights()))
        restrict = str(binaries.compile(binaries.RESTRICT))
        text = "a launcher in C with the landlock system calls, then the program"
        yield _Way(mechanisms.SYSCALLS, text, (restrict, rights, *paths, "--", program))
    if not bubblewrap.missing(*mechanisms.READ_ONLY):
        binds = [word for path in paths for word in ("--bind", path, path)]
        words = (bubblewrap.PROGRAM, *mechanisms.READ_ONLY, *binds, "--", program)
        yield _Way(mechanisms.BUBBLEWRAP, "bubblewrap, then the program", words)
    if ours:
        Path(POLICY).write_text(_policy_text(paths))
        script = Path(sys.executable).with_name("landlock-bpf")
        command = (str(script),) if script.exists() else (sys.executable, "-m", "landlock_bpf")
        words = (*command, "run", "-p", str(Path.cwd() / POLICY), "--", program)
        yield _Way(RUN, "landlock-bpf run while another domain is in force, then the program", words)
        yield _Way(RUN_FIRST, "landlock-bpf run that attaches the hooks, then the program", words)


def _policy_text(paths: Sequence[str]) -> str:
    """Write the policy file of the case: it handles what `all` means, as the measured domains do."""
    rules = "".join(f'\n[[path_beneath]]\nallowed_access = ["all"]\nparent = ["{path}"]\n' for path in paths)
    return f'default = "deny"\n\n[[ruleset]]\nhandled_access_fs = ["all"]\n{rules}'
