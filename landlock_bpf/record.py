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
import struct
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from landlock_bpf import engine, errors, identity, ruleset

RUN = engine.RUN
RULESETS = RUN / "rulesets"
# Records of rulesets that were: denials are often read after their domain has ended.
PAST = RUN / "past"
_PAST_KEPT = 256
_OBJECTS = struct.Struct(f"{identity.OBJECT.size}s")


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
    with _open_lock("lock") as lock:
        RULESETS.mkdir(exist_ok=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def alone(name: str, what: str) -> Iterator[None]:
    """Be the only one who does something for a longer time; BusyError names the process that does it already."""
    with _open_lock(f"{name}.lock") as lock:
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
    """List the records; leavings of a killed writer are removed."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(RULESETS):
            stem, _, suffix = name.partition(".")
            if suffix == "json":
                found.append(int(stem))
            else:
                (RULESETS / name).unlink()
    return found


def write(record: Record) -> None:
    """Write a record: it appears whole or not at all."""
    # Two lines: what is asked often, and what is long: all that is said of objects.
    heads = [_head(layer) for layer in record.layers]
    long = [[_columns(each) for each in _long(layer)] for layer in record.layers]
    path = _path(record.serial)
    part = path.with_suffix(".part")
    try:
        part.write_text(f"{json.dumps({**vars(record), 'layers': heads})}\n{json.dumps(long)}")
        part.rename(path)
    except OSError as cause:
        raise errors.KernelError("write", str(path), cause.errno or errno.EIO, "make room there") from cause


def read(serial: int, *, whole: bool = True) -> Record | None:
    """Read a record, a past one too, or its head alone; None where somebody removed it."""
    for path in (_path(serial), PAST / _path(serial).name):
        with contextlib.suppress(FileNotFoundError), open(path) as lines:
            told = json.loads(lines.readline())
            long = json.loads(lines.readline()) if whole else [[[]] * 4 for _ in told["layers"]]
            layers = (_layer(head, *map(_rows, each)) for head, each in zip(told["layers"], long))
            return Record(**{**told, "layers": tuple(layers)})
    return None


def count_stale(keys: int) -> int:
    """Count keys removed since the filter was last made anew. The count may get lost: it only says when that pays."""
    path = RUN / "stale"
    try:
        before = int(path.read_text())
    except (FileNotFoundError, ValueError):
        before = 0
    path.write_text(str(before + keys))
    return before + keys


def forget_stale() -> None:
    """Begin to count anew."""
    (RUN / "stale").unlink(missing_ok=True)


def remove(serial: int) -> None:
    """Make a record a past one; of those, the newest are kept."""
    PAST.mkdir(mode=0o700, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        _path(serial).rename(PAST / _path(serial).name)
    kept = os.listdir(PAST)
    if len(kept) > _PAST_KEPT:
        for name in sorted(kept, key=lambda name: int(name.partition(".")[0]))[: -_PAST_KEPT // 2]:
            (PAST / name).unlink()


def _open_lock(name: str) -> TextIO:
    """Open a lock file that nobody else can: a descriptor for reading is enough to hold a lock for ever."""
    RUN.mkdir(mode=0o700, exist_ok=True)
    RUN.chmod(0o700)
    return open(RUN / name, "a+")


def guard(live: engine.Engine) -> None:
    """Tell the engine where the records are: nobody in a domain may open or change anything there."""
    found = os.stat(RUN)
    # As super_block.s_dev has it (include/linux/kdev_t.h), on filesystems that give it to stat(2).
    live.state.records_dev = os.major(found.st_dev) << 20 | os.minor(found.st_dev)
    live.state.records_ino = found.st_ino


def _path(serial: int) -> Path:
    return RULESETS / f"{serial}.json"


def _head(layer: ruleset.Layer) -> dict[str, Any]:
    """Say all of a layer but what is long. Only the objects' bytes are nothing that JSON has."""
    head = {**vars(layer), "spread": [(object.hex(), rules) for object, rules in layer.spread]}
    for name in ("entries", "names", "trees"):
        del head[name]
    if layer.programs:
        head["programs"] = {**vars(layer.programs), "marks": ()}
    return head


def _long(layer: ruleset.Layer) -> Iterator[Iterable[tuple[Any, ...]]]:
    """Give what is long of a layer: each begins with an object."""
    yield from (layer.entries, layer.names, layer.trees, layer.programs.marks if layer.programs else ())


def _columns(said: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Turn rows into columns, of which the first is one text: there are many rows, and JSON takes its time for each list."""
    objects, *others = zip(*said) if said else [()]
    return [b"".join(objects).hex(), *others] if objects else []


def _rows(columns: list[Any]) -> Iterable[tuple[Any, ...]]:
    if not columns:
        return ()
    objects, *others = columns
    return zip((object for (object,) in _OBJECTS.iter_unpack(bytes.fromhex(objects))), *others)


def _layer(
    head: dict[str, Any],
    entries: Iterable[tuple[Any, ...]],
    names: Iterable[tuple[Any, ...]],
    trees: Iterable[tuple[Any, ...]],
    marks: Iterable[tuple[Any, ...]],
) -> ruleset.Layer:
    said = {
        "spread": tuple((bytes.fromhex(one), rules) for one, rules in head["spread"]),
        "entries": tuple(ruleset.Entry._make((*each, tuple(commands))) for *each, commands in entries),
        "names": tuple(ruleset.Name._make((*each, tuple(commands))) for *each, commands in names),
        "trees": tuple(map(ruleset.Tree._make, trees)),
        "patterns": tuple(ruleset.Pattern._make((*each[:-1], tuple(each[-1]))) for each in head["patterns"]),
        "notes": tuple(head["notes"]),
        "programs": _programs(head["programs"], marks) if head["programs"] else None,
    }
    return ruleset.Layer(**{**head, **said})


def _programs(head: dict[str, Any], marks: Iterable[tuple[Any, ...]]) -> ruleset.Programs:
    lists = {
        "rules": tuple(ruleset.RuleProgram(*rule) for rule in head["rules"]),
        "views": tuple(ruleset.View(*view) for view in head["views"]),
        "marks": tuple(map(ruleset.Mark._make, marks)),
    }
    return ruleset.Programs(**{**head, **lists})
