# SPDX-License-Identifier: GPL-2.0-only
"""Rulesets: what the layers of a domain say of objects, each alone and all merged, as the engine has it. Pure values."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from landlock_bpf import abi, identity

_MASKS = struct.Struct(f"={int(abi.Limit.LAYERS)}Q{int(abi.Limit.LAYERS)}QII")
# The hash of bpf/walk.h, may_have_rule().
_FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93
_ALL_64 = (1 << 64) - 1
_SHIFT = 64 - int(abi.Limit.FILTER_BITS)


class Entry(NamedTuple):
    """What a policy says of one object; `object` is struct object as bytes. Without rights: a place on a denial's way."""

    object: bytes
    allowed: int
    denied: int
    sealed: bool
    path: str
    file: str
    line: int


@dataclasses.dataclass(frozen=True)
class Layer:
    """A policy resolved on this host, given to the domain `owner` as part of its ruleset `made`; nested ones have it too.

    `spread` says of each filesystem how many of the `rules` are on it, with one of the objects. Where only the head of a
    record was read, there are no entries.
    """

    owner: str
    made: int
    policy: str
    source: str
    handled: int
    default_allow: bool
    rules: int
    denies: bool
    spread: tuple[tuple[bytes, int], ...]
    entries: tuple[Entry, ...] = ()

    def keep(self, objects: set[bytes]) -> Layer:
        """Leave out the entries of all other objects: those whose filesystem is gone."""
        return dataclasses.replace(self, entries=tuple(entry for entry in self.entries if entry.object in objects))


def own(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Give the layers that a domain was given itself: the last ones, all made at once."""
    last = layers[-1]
    return tuple(layer for layer in layers if (layer.owner, layer.made) == (last.owner, last.made))


def device_of(object: bytes) -> int:
    """Read the super_block.s_dev of an object."""
    return int(identity.OBJECT.unpack(object)[2])


def handled(layers: Iterable[Layer]) -> int:
    """Unite what the layers handle."""
    union = 0
    for layer in layers:
        union |= layer.handled
    return union


def record(layers: Sequence[Layer], serial: int) -> abi.Ruleset:
    """Make the struct ruleset of merged layers."""
    made = abi.Ruleset(serial=serial, layers=len(layers), handled_any=handled(layers))
    for number, layer in enumerate(layers):
        made.handled[number] = layer.handled
        made.default_allow |= layer.default_allow << number
    return made


def merge(layers: Sequence[Layer]) -> dict[bytes, bytes]:
    """Say for each object what all layers say of it: struct object to struct rule, both as bytes."""
    said: dict[bytes, tuple[tuple[int, int, int, int], ...]] = {}
    for number, layer in enumerate(layers):
        for object, (allowed, denied, sealed) in _united(layer.entries).items():
            said[object] = (*said.get(object, ()), (number, allowed, denied, sealed))
    # Most objects of a policy have the same rule.
    packed = {words: _pack(words) for words in set(said.values())}
    return {object: packed[words] for object, words in said.items()}


def filter_bit(ino: int, index: int) -> int:
    """Give the bit of the filter that must be set before a rule on this inode number holds in ruleset `index`."""
    return ((ino + index * _FIRST) * _SECOND & _ALL_64) >> _SHIFT


def _united(entries: Iterable[Entry]) -> dict[bytes, tuple[int, int, int]]:
    united: dict[bytes, tuple[int, int, int]] = {}
    for object, allowed, denied, sealed, *_ in entries:
        before = united.get(object)
        if before:
            united[object] = before[0] | allowed, before[1] | denied, before[2] | sealed
        else:
            united[object] = allowed, denied, sealed
    return united


def _pack(words: Iterable[tuple[int, int, int, int]]) -> bytes:
    masks = [0] * (2 * abi.Limit.LAYERS)
    seals = 0
    for number, allowed, denied, sealed in words:
        masks[number] = allowed
        masks[abi.Limit.LAYERS + number] = denied
        seals |= sealed << number
    return _MASKS.pack(*masks, seals, 0)
