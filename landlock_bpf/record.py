# SPDX-License-Identifier: GPL-2.0-only
"""The records under /run: of each ruleset in the kernel, what the kernel does not need but people and later commands do.

A record is written before its ruleset's first key is, and removed after its last: so whatever a killed controller left can
be found. The kernel's maps alone say what is in force.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from landlock_bpf import engine, errors, rows, ruleset

RUN = engine.RUN
RULESETS = RUN / "rulesets"
# Records of rulesets that were: denials are often read after their domain has ended.
PAST = RUN / "past"
_PAST_KEPT = 256
_SUFFIX = "record"
_NAME = re.compile(rf"(0|[1-9][0-9]*)\.{_SUFFIX}")
# What reading raises where a record is none of ours.
_MALFORMED = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
# What a layer may say of very many objects.
_KINDS = (ruleset.Entry, ruleset.Name, ruleset.Tree, ruleset.Mark)


@dataclasses.dataclass(frozen=True)
class Record:
    """What was put into the kernel as ruleset `index`, for the domain of that name.

    `scope` is the control group that was made for it; empty where it is on one that was there before. `target` is the
    process that it was made for, in the words of threads.Target, where there is no control group.
    """

    serial: int
    index: int
    domain: str
    scope: str
    layers: tuple[ruleset.Layer, ...]
    target: str = ""

    @property
    def denies(self) -> bool:
        return any(layer.denies for layer in self.layers)

    def objects(self) -> set[bytes]:
        """Collect the objects that have keys."""
        return set().union(*(layer.objects() for layer in self.layers))


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Hold the lock that every command takes before it looks at or changes what is in the kernel."""
    lock = os.open(_lock("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not os.path.isdir(RULESETS):
            RULESETS.mkdir()
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def alone(name: str, what: str) -> Iterator[None]:
    """Be the only one who does something for a longer time; BusyError names the process that does it already."""
    with open(_lock(f"{name}.lock"), "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            lock.seek(0)
            raise errors.BusyError(f"process {lock.read().strip() or '?'} {what} already; end it first") from cause
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def new_serial(after: int = 0) -> int:
    """Make a number that no ruleset of this boot has had: its walks may still be remembered by tasks."""
    return max(time.clock_gettime_ns(time.CLOCK_BOOTTIME), after + 1)


def serials() -> list[int]:
    """List the records; leavings of a killed writer, and whatever else is no name of a record, are removed."""
    found = []
    for name in _listed(RULESETS):
        if told := _NAME.fullmatch(name):
            found.append(int(told[1]))
        else:
            with contextlib.suppress(FileNotFoundError, IsADirectoryError):
                (RULESETS / name).unlink()
    return found


def write(record: Record) -> None:
    """Write a record: it appears whole or not at all."""
    # A line of what is asked often, and of how to read what comes after it and is long: all that is said of objects.
    heads, parts = [], []
    for layer in record.layers:
        packed = [rows.pack(kind, said) for kind, said in zip(_KINDS, _long(layer))]
        heads.append({**_head(layer), "long": [told for told, _data in packed]})
        parts += [part for _told, data in packed for part in data]
    head = json.dumps({**vars(record), "layers": heads}).encode()
    path, part = _path(RULESETS, record.serial), f"{RULESETS}/{record.serial}.part"
    try:
        with open(part, "wb") as file:
            file.writelines([head, b"\n", *parts])
        os.rename(part, path)
    except OSError as cause:
        raise errors.KernelError("write", path, cause.errno or errno.EIO, "make room there") from cause


def read(serial: int, *, whole: bool = True) -> Record | None:
    """Read a record, a past one too, or its head alone; None where somebody removed it, or it cannot be read."""
    for folder in (RULESETS, PAST):
        path = _path(folder, serial)
        with contextlib.suppress(FileNotFoundError, *_MALFORMED):
            if stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb", opener=_open) as file:
                    return _read(file, whole)
    return None


def domains() -> set[str]:
    """Name the domains that records are of, past ones too: those in force, and those of which denials may still be read."""
    # Without the lock: what is no record may become one. A record that is made a past one meanwhile is in the second list.
    known = {int(told[1]) for folder in (RULESETS, PAST) for told in map(_NAME.fullmatch, _listed(folder)) if told}
    return {found.domain for serial in known if (found := read(serial, whole=False)) and found.domain}


def count_stale(keys: int) -> int:
    """Count keys removed since the filter was last made anew. The count may get lost: it only says when that pays."""
    path = RUN / "stale"
    try:
        with open(path, "rb") as file:
            before = int(file.read())
    except (FileNotFoundError, ValueError):
        before = 0
    with open(path, "wb") as file:
        file.write(b"%d" % (before + keys))
    return before + keys


def forget_stale() -> None:
    """Begin to count anew."""
    (RUN / "stale").unlink(missing_ok=True)


def remove(serial: int) -> None:
    """Make a record a past one; of those, the newest are kept."""
    if not os.path.isdir(PAST):
        PAST.mkdir(mode=0o700)
    with contextlib.suppress(FileNotFoundError):
        os.rename(_path(RULESETS, serial), _path(PAST, serial))
    kept = os.listdir(PAST)
    if len(kept) > _PAST_KEPT:
        serials = [int(told[1]) for told in map(_NAME.fullmatch, kept) if told]
        for old in sorted(serials)[: -_PAST_KEPT // 2]:
            with contextlib.suppress(IsADirectoryError):
                os.unlink(_path(PAST, old))


def _lock(name: str) -> str:
    """Name a lock file that nobody else can open: a descriptor for reading is enough to hold a lock for ever."""
    try:
        mode = os.stat(RUN).st_mode
    except FileNotFoundError:
        RUN.mkdir(mode=0o700, exist_ok=True)
        mode = 0  # the umask may have taken from it
    if stat.S_IMODE(mode) != 0o700:
        RUN.chmod(0o700)
    return f"{RUN}/{name}"


def guard(live: engine.Engine) -> None:
    """Tell the engine where the records are: nobody in a domain may open or change anything there."""
    found = os.stat(RUN)
    # As super_block.s_dev has it (include/linux/kdev_t.h), on filesystems that give it to stat(2).
    live.state.records_dev = os.major(found.st_dev) << 20 | os.minor(found.st_dev)
    live.state.records_ino = found.st_ino


def _listed(folder: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return os.listdir(folder)
    return []


def _open(path: str, flags: int) -> int:
    """Open a file, and wait for nobody: it may be a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _read(file: BinaryIO, whole: bool) -> Record:
    head = json.loads(file.readline())
    data = memoryview(file.read() if whole else b"")
    layers = []
    for each in head["layers"]:
        long: list[Sequence[Any]] = []
        for kind, told in zip(_KINDS, each.pop("long")):
            said, data = rows.unpack(kind, told if whole else (), data)
            long.append(said)
        layers.append(_layer(each, *long))
    return Record(**{**head, "layers": tuple(layers)})


def _path(folder: Path, serial: int) -> str:
    return f"{folder}/{serial}.{_SUFFIX}"


def _head(layer: ruleset.Layer) -> dict[str, Any]:
    """Say all of a layer but what is long. Only the objects' bytes are nothing that JSON has."""
    head = {**vars(layer), "spread": [(object.hex(), rules) for object, rules in layer.spread]}
    for name in ("entries", "names", "trees"):
        del head[name]
    if layer.programs:
        head["programs"] = {**vars(layer.programs), "marks": ()}
    return head


def _long(layer: ruleset.Layer) -> tuple[Sequence[tuple[Any, ...]], ...]:
    """Give what is long of a layer, as _KINDS has it."""
    return layer.entries, layer.names, layer.trees, layer.programs.marks if layer.programs else ()


def _layer(
    head: dict[str, Any],
    entries: Sequence[ruleset.Entry],
    names: Sequence[ruleset.Name],
    trees: Sequence[ruleset.Tree],
    marks: Sequence[ruleset.Mark],
) -> ruleset.Layer:
    said = {
        "spread": tuple((bytes.fromhex(one), rules) for one, rules in head["spread"]),
        "entries": entries,
        "names": tuple(names),
        "trees": tuple(trees),
        "patterns": tuple(ruleset.Pattern._make((*each[:-1], tuple(each[-1]))) for each in head["patterns"]),
        "notes": tuple(head["notes"]),
        "uncovered": tuple(head["uncovered"]),
        "programs": _programs(head["programs"], tuple(marks)) if head["programs"] else None,
    }
    return ruleset.Layer(**{**head, **said})


def _programs(head: dict[str, Any], marks: tuple[ruleset.Mark, ...]) -> ruleset.Programs:
    lists = {
        "rules": tuple(ruleset.RuleProgram(*rule) for rule in head["rules"]),
        "views": tuple(ruleset.View(*view) for view in head["views"]),
        "marks": marks,
    }
    return ruleset.Programs(**{**head, **lists})
