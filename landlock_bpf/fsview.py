# SPDX-License-Identifier: GPL-2.0-only
"""The rules of rulesets in the kernel, on objects and names, and the filter before them. None is in force by itself."""

from __future__ import annotations

import errno
import struct
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from landlock_bpf import abi, engine, errors, identity, merging, record, ruleset

_TAIL = struct.Struct("=II")  # what fsview_key has after the object
_LENGTH = struct.Struct("=I4x")  # what struct rule_run has after the rule
_NUMBERED = struct.Struct("=II")  # pattern_key and command_key: the ruleset's index, and a number
_CLASS = struct.Struct("=I")  # what commands has for a command
VIEW_TAIL = struct.Struct("=Q")  # what view_key has there: the serial number of a set of marks
_WORD = 64
# Bits that no key has only cost a look-up: so many are left before the filter is made anew (1.6 % of it).
_STALE_BITS = 1 << 16


def install(live: engine.Engine, made: record.Record) -> None:
    """Put a recorded ruleset into the kernel; LimitError where a map has no room, and then nothing is left of it."""
    merged = merging.merge(made.layers)
    if live.ruleset(made.index).serial:
        remove(live, made.index)  # left by a killed controller, and its record lost
    live.rulesets.update(made.index, merging.record(made.layers, made.serial))
    tail = _TAIL.pack(made.index, 0)
    steps: tuple[tuple[abi.Limit, str, Callable[[], None]], ...] = (
        (abi.Limit.OBJECTS, "objects", lambda: _fill(live, merged, made.index)),
        (abi.Limit.NAMES, "names", lambda: _put(live, "names", merged.names, tail)),
        (abi.Limit.NAMES, "patterns of names", lambda: _put(live, "patterns", _patterns(made.index, merged))),
        (abi.Limit.COMMANDS, "ioctl commands", lambda: _put(live, "commands", _commands(made.index, merged))),
    )
    for limit, what, step in steps:
        try:
            step()
        except errors.KernelError as cause:
            remove(live, made.index, made)
            if cause.errno != errno.E2BIG:
                raise
            raise errors.LimitError(f"all domains together would have rules on more than {int(limit)} {what}") from cause


def remove(live: engine.Engine, index: int, made: record.Record | None = None) -> None:
    """Remove a ruleset that is in force nowhere, its grace period over; where its record is lost, all keys are looked at."""
    tail = _TAIL.pack(index, 0)
    if made:
        objects = made.objects()
        heads = [merging.name_head(name) for layer in made.layers for name in layer.names]
        patterns = [_NUMBERED.pack(index, number) for number in range(sum(len(layer.patterns) for layer in made.layers))]
        commands = [_NUMBERED.pack(index, command) for command in merging.Classes(made.layers).commands]
    else:
        objects = keys_of(live, index)
        heads = [key[: -_TAIL.size] for key, _rule in live.names.items() if key.endswith(tail)]
        first = index.to_bytes(4, sys.byteorder)
        patterns, commands = (
            [key for key, _ in each.items() if key.startswith(first)] for each in (live.patterns, live.commands)
        )
    surplus = (("fsview", tail, objects), ("names", tail, heads), ("patterns", b"", patterns), ("commands", b"", commands))
    for name, rest, keys in surplus:
        if keys:
            getattr(live, name).delete_joined(_joined(keys, rest))
    live.rulesets.update(index, abi.Ruleset())
    count_removed(live, len(objects))


def keys_of(live: engine.Engine, index: int) -> set[bytes]:
    """Find the objects of a ruleset in the kernel itself: some of the recorded ones may have gone with their filesystem."""
    tail = _TAIL.pack(index, 0)
    return {key[: identity.OBJECT.size] for key in _keys(live) if key.endswith(tail)}


def living(live: engine.Engine, index: int, objects: Iterable[bytes]) -> set[bytes]:
    """Give those objects of a ruleset that still have a key. Those of a filesystem end with it: one tells for all of them."""
    tail = _TAIL.pack(index, 0)
    among = set(objects)
    one = {object[identity.DEVICE]: object for object in among}
    gone = {device for device, object in one.items() if live.fsview.lookup(object + tail) is None}
    return {object for object in among if object[identity.DEVICE] not in gone} if gone else among


def count_removed(live: engine.Engine, keys: int) -> None:
    """Count keys whose bits of the filter stay set, and make the filter anew once that pays."""
    if record.count_stale(keys) > _STALE_BITS:
        refresh_filter(live)
        record.forget_stale()


def refresh_filter(live: engine.Engine) -> None:
    """Clear the bits of the filter that no key has; those that one has stay set all the while."""
    fresh = memoryview(bytearray(len(live.filter) * 8)).cast("Q")
    for ino, number in _hashed(live):
        (bit,) = ruleset.filter_bits((ino,), number)
        fresh[bit // _WORD] |= 1 << bit % _WORD
    live.filter[:] = fresh


def _fill(live: engine.Engine, merged: merging.Merged, index: int) -> None:
    if merged.objects:
        runs = (rule + _LENGTH.pack(length) for rule, length in merged.rules.runs)
        live.fill(merged.objects, b"".join(runs), index)


def _put(live: engine.Engine, name: str, entries: Mapping[bytes, bytes], tail: bytes = b"") -> None:
    if entries:  # else the map need not be opened
        getattr(live, name).update_joined(_joined(entries, tail), list(entries.values()))


def _joined(keys: Collection[bytes], tail: bytes) -> bytes:
    """Give keys one after another, each with its tail."""
    return tail.join(keys) + tail if keys else b""


def _patterns(index: int, merged: merging.Merged) -> dict[bytes, bytes]:
    return {_NUMBERED.pack(index, number): bytes(each) for number, each in enumerate(merged.patterns)}


def _commands(index: int, merged: merging.Merged) -> dict[bytes, bytes]:
    return {_NUMBERED.pack(index, command): _CLASS.pack(number) for command, number in merged.commands.items()}


def _hashed(live: engine.Engine) -> Iterator[tuple[int, int]]:
    """Give of all keys, those of views too, what the bits of the filter are made of."""
    for key in _keys(live):
        yield identity.OBJECT.unpack_from(key)[0], _TAIL.unpack_from(key, identity.OBJECT.size)[0]
    for key, _marks in live.views.items():
        serial = VIEW_TAIL.unpack_from(key, identity.OBJECT.size)[0]
        yield identity.OBJECT.unpack_from(key)[0], ruleset.low_word(serial)


def _keys(live: engine.Engine) -> Iterator[bytes]:
    return (key for key, _rule in live.fsview.items())
