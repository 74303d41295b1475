# SPDX-License-Identifier: GPL-2.0-only
"""Open descriptors of a cgroup's members that lie where policies deny: rights fixed at open outlive a later denial."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from landlock_bpf import cgroup, names, ruleset
from landlock_bpf.abi import Action

# st_dev and st_ino: good enough to compare what is open now, not to tie a rule to.
_Place = tuple[int, int]
_READ, _WRITE = (os.O_RDONLY, os.O_RDWR), (os.O_WRONLY, os.O_RDWR)
_ACCESS = os.O_WRONLY | os.O_RDWR
_FLAGS = re.compile(r"^flags:\s*([0-7]+)$", re.M)  # of /proc/PID/fdinfo/FD
_DELETED = " (deleted)"
# Character devices that read and write disks: reaches_disks() in bpf/vital.h.
_DISK_MAJORS, _DEVICE_MAPPER = (21, 90, 162), (10, 236)


@dataclasses.dataclass(frozen=True)
class Held:
    """A file that a member has open though it could not open it now, as far as we may look at it."""

    pid: int
    fd: int
    path: str

    def __str__(self) -> str:
        return f"process {self.pid} has {self.path} open (descriptor {self.fd})"


@dataclasses.dataclass
class _Said:
    """What a layer says of places: the actions that it allows and denies, and the patterns of names beneath."""

    allowed: int = 0
    denied: int = 0
    patterns: list[tuple[names.Pattern, int]] = dataclasses.field(default_factory=list)


_Layer = dict[_Place, _Said]
# From a file up: where it is, if it can be told, and its name.
_Way = Sequence[tuple[_Place | None, str]]


def held(path: Path, layers: Sequence[ruleset.Layer]) -> tuple[Held, ...]:
    """List the open files of a cgroup's members that give rights which the layers deny there; the nearest rule decides."""
    said = _denying(layers)
    if not said:
        return ()
    return tuple(each for pid in cgroup.processes(path) for each in _of_process(pid, said))


def of_process(pid: int, layers: Sequence[ruleset.Layer]) -> tuple[Held, ...]:
    """List such open files of one process."""
    said = _denying(layers)
    return tuple(_of_process(pid, said)) if said else ()


def _denying(layers: Iterable[ruleset.Layer]) -> list[_Layer]:
    return [_said(layer) for layer in layers if layer.denies and not layer.permissive]


def _said(layer: ruleset.Layer) -> _Layer:
    """Say what a layer says of each place with a rule."""
    said: _Layer = {}
    for entry in layer.entries:
        if entry.allowed or entry.denied:
            for here in _at(said, entry.path):
                here.allowed |= entry.allowed
                here.denied |= entry.denied
    for name in layer.names:
        if name.denied:
            for here in _at(said, name.path):  # it has come to be meanwhile
                here.denied |= name.denied
    for tree in layer.trees:
        pattern = layer.patterns[tree.pattern]
        for here in _at(said, tree.path):
            here.patterns.append((names.pattern(pattern.text), pattern.denied))
    return said


def _at(said: _Layer, path: str) -> Iterator[_Said]:
    """Give what is said of the place that a path leads to, if it leads anywhere."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        found = os.stat(path)
        yield said.setdefault((found.st_dev, found.st_ino), _Said())


def _of_process(pid: int, said: Iterable[_Layer]) -> Iterator[Held]:
    folder = f"/proc/{pid}/fd"
    try:
        numbers = os.listdir(folder)
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return
    for number in numbers:
        try:
            found = os.stat(f"{folder}/{number}")
            target = os.readlink(f"{folder}/{number}")
            rights = _rights(pid, number, found) if target.startswith("/") else 0
            if not rights:
                continue
            way = list(_way(pid, target, found))
        except (FileNotFoundError, ProcessLookupError):  # closed meanwhile
            continue
        except OSError as error:
            # Not even root may look into another user's FUSE mount. What is there may be what is denied.
            yield Held(pid, int(number), f"something that cannot be looked at ({error.strerror})")
            continue
        if any(_denied(each, way, rights) for each in said):
            yield Held(pid, int(number), target)


def _rights(pid: int, number: str, found: os.stat_result) -> int:
    """Say what an open file gives whatever policies come: what the engine asks at open alone, as bpf/file.h has it.

    To execute it, it is opened again, and all else is asked when it is done.
    """
    mode = found.st_mode
    told = _FLAGS.search(Path(f"/proc/{pid}/fdinfo/{number}").read_text())
    flags = int(told[1], 8) if told else os.O_RDWR
    if flags & os.O_PATH:
        return 0
    reads, writes = flags & _ACCESS in _READ, flags & _ACCESS in _WRITE
    if stat.S_ISDIR(mode):
        return int(Action.READ_DIR)
    rights = Action.READ_FILE if reads else Action(0)
    if writes:
        rights |= Action.WRITE_FILE | Action.TRUNCATE
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        rights |= Action.IOCTL_DEV
    if stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and _reaches_disks(found.st_rdev)):
        rights |= Action.OPEN_BLOCK
    return int(rights)


def _reaches_disks(device: int) -> bool:
    return os.major(device) in _DISK_MAJORS or (os.major(device), os.minor(device)) == _DEVICE_MAPPER


def _denied(said: _Layer, way: _Way, rights: int) -> int:
    """Give those of some rights that a layer denies: of each, the nearest that speaks of it decides."""
    denied = 0
    for number, (place, name) in enumerate(way):
        here = said.get(place) if place else None
        refused, allowed = (here.denied, here.allowed) if here else (0, 0)
        # A name is as near as what has it.
        for above, _name in way[number + 1 :]:
            for pattern, mask in said[above].patterns if above and above in said else ():
                refused |= mask if pattern.matches(os.fsencode(name)) else 0
        denied |= rights & refused
        rights &= ~(refused | allowed)
    return denied


def _way(pid: int, target: str, found: os.stat_result) -> Iterator[tuple[_Place | None, str]]:
    """Give a file and the directories above it as the process sees them."""
    path = PurePosixPath(target if found.st_nlink else target.removesuffix(_DELETED))
    yield (found.st_dev, found.st_ino), path.name
    for parent in path.parents:
        try:
            above = os.stat(f"/proc/{pid}/root{parent}")
        except (FileNotFoundError, NotADirectoryError):
            yield None, parent.name  # it is gone
        else:
            yield (above.st_dev, above.st_ino), parent.name
