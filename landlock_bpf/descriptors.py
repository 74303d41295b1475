# SPDX-License-Identifier: GPL-2.0-only
"""Open descriptors of a cgroup's members that lie where policies deny: rights fixed at open outlive a later denial."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from landlock_bpf import cgroup, ruleset

# st_dev and st_ino: good enough to compare what is open now, not to tie a rule to.
_Place = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Held:
    """A file that a member has open though it could not open it now, as far as we may look at it."""

    pid: int
    fd: int
    path: str

    def __str__(self) -> str:
        return f"process {self.pid} has {self.path} open (descriptor {self.fd})"


def held(path: Path, layers: Sequence[ruleset.Layer]) -> tuple[Held, ...]:
    """List the open files of a cgroup's members on or beneath what the layers deny, unless a nearer rule speaks of them."""
    said = [_said(layer) for layer in layers if layer.denies]
    if not said:
        return ()
    return tuple(each for pid in cgroup.processes(path) for each in _of_process(pid, said))


def of_process(pid: int, layers: Sequence[ruleset.Layer]) -> tuple[Held, ...]:
    """List such open files of one process."""
    said = [_said(layer) for layer in layers if layer.denies]
    return tuple(_of_process(pid, said)) if said else ()


def _said(layer: ruleset.Layer) -> dict[_Place, bool]:
    """Say of each place with a rule whether the rule denies."""
    said: dict[_Place, bool] = {}
    for entry in layer.entries:
        if not (entry.allowed or entry.denied):
            continue
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found = os.stat(entry.path)
            place = found.st_dev, found.st_ino
            said[place] = said.get(place, False) or bool(entry.denied)
    return said


def _of_process(pid: int, said: Iterable[dict[_Place, bool]]) -> Iterator[Held]:
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return
    for name in names:
        try:
            found = os.stat(f"{folder}/{name}")
            target = os.readlink(f"{folder}/{name}")
            if not target.startswith("/") or not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
                continue
            way = [(found.st_dev, found.st_ino), *_above(pid, target)]
        except (FileNotFoundError, ProcessLookupError):  # closed meanwhile
            continue
        except OSError as error:
            # Not even root may look into another user's FUSE mount. What is there may be what is denied.
            yield Held(pid, int(name), f"something that cannot be looked at ({error.strerror})")
            continue
        if any(next((each[place] for place in way if place in each), False) for each in said):
            yield Held(pid, int(name), target)


def _above(pid: int, path: str) -> Iterator[_Place]:
    """Give the directories above a path as the process sees them."""
    for parent in PurePosixPath(path).parents:
        # Gone, or the path of a deleted file.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found = os.stat(f"/proc/{pid}/root{parent}")
            yield found.st_dev, found.st_ino
