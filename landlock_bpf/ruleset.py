# SPDX-License-Identifier: GPL-2.0-only
"""Rulesets: policies whose paths have been resolved to objects, and what all layers of a domain say of each object.

Layers are values: what resolving a policy found. Nothing here changes the kernel's state.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Union

from landlock_bpf import abi, errors, hooks, identity, policy, route

DROP_CACHES = "/proc/sys/vm/drop_caches"
# Paths resolved before the iterator runs over all that is open: few runs, not too many descriptors.
_BATCH = 2048
_MASKS = struct.Struct(f"={int(abi.Limit.LAYERS)}Q{int(abi.Limit.LAYERS)}QII")
_FILTER_MULTIPLIERS = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93  # bpf/walk.h, may_have_rule()
_ALL_64 = (1 << 64) - 1

# Of each path, the places on its way, or why it has none.
Ways = dict[str, Union[list[identity.Named], OSError]]


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
    """A policy resolved on this host, given to the domain `owner` as part of its ruleset `made`; nested ones have it too."""

    owner: str
    made: int
    policy: str
    source: str
    handled: int
    default_allow: bool
    rules: int
    entries: tuple[Entry, ...]

    @property
    def denies(self) -> bool:
        return any(entry.denied for entry in self.entries)

    def keep(self, objects: set[bytes]) -> Layer:
        """Leave out the entries of all other objects: those whose filesystem is gone."""
        return dataclasses.replace(self, entries=tuple(entry for entry in self.entries if entry.object in objects))


class Filesystems:
    """Descriptors, one for each filesystem, that keep it mounted while rules on it are made; a context manager."""

    def __init__(self) -> None:
        self._fds: dict[int, int] = {}

    def __enter__(self) -> Filesystems:
        return self

    def __exit__(self, *exc: object) -> None:
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()

    def hold(self, node: route.Node) -> None:
        """Keep the filesystem of a named place."""
        if node.named and node.named.device not in self._fds:
            self._fds[node.named.device] = os.dup(node.fd)


def resolve(
    policies: Sequence[policy.Policy], owner: str, made: int, identify: route.Identify, filesystems: Filesystems
) -> tuple[Layer, ...]:
    """Resolve all policies of a domain; PolicyError with every path that cannot be ruled on.

    `filesystems` holds all that the rules are on: close it when the rules are in the kernel.
    """
    paths = {rule.path for each in policies for rule in each.rules}
    with route.many_descriptors():
        found, doubtful = _find(paths, identify, filesystems)
        unstable: set[str] = set()
        if doubtful:
            with open(DROP_CACHES, "w") as control:
                control.write("2")
            again, _ = _find(doubtful, identify, filesystems, certain=True)
            unstable = {path for path in doubtful if _objects(found[path]) != _objects(again[path])}
    problems: list[errors.Problem] = []
    layers = tuple(_layer(each, owner, made, found, unstable, problems) for each in policies)
    if problems:
        raise errors.PolicyError(problems)
    return layers


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
    first, second = _FILTER_MULTIPLIERS
    return ((ino + index * first) * second & _ALL_64) >> (64 - abi.Limit.FILTER_BITS)


def _find(
    paths: Iterable[str], identify: route.Identify, filesystems: Filesystems, *, certain: bool = False
) -> tuple[Ways, set[str]]:
    """Name all places on the way to each path, or keep the error; give those whose names may not be stable as well."""
    found: Ways = {}
    doubtful: set[str] = set()
    with route.Routes(identify) as routes:
        left = list(paths)
        while left:
            some, left = left[:_BATCH], left[_BATCH:]
            ways: dict[str, list[route.Node]] = {}
            for path in some:
                try:
                    ways[path] = routes.find(path)
                except OSError as error:
                    if error.errno in (errno.EMFILE, errno.ENFILE):
                        raise
                    found[path] = error
            fresh = routes.name()
            for node in fresh:
                # What may have to leave the cache must not be held.
                if certain or (node.named and node.named.magic in identity.STABLE):
                    filesystems.hold(node)
            routes.drop(fresh)
            for path, way in ways.items():
                if way[-1].target is not None:
                    left.append(path)  # it turned out to be a link
                    continue
                found[path] = names = [node.named for node in way if node.named]
                if not all(named.magic in identity.STABLE for named in names):
                    doubtful.add(path)
    return found, doubtful


def _objects(way: list[identity.Named] | OSError) -> list[bytes]:
    return [] if isinstance(way, OSError) else [named.object for named in way]


def _layer(
    each: policy.Policy, owner: str, made: int, found: Ways, unstable: set[str], problems: list[errors.Problem]
) -> Layer:
    entries: list[Entry] = []
    for rule in each.rules:
        way = found[rule.path]
        wrong = _wrong(rule, way, unstable)
        if wrong:
            what, remedy = wrong
            problems.append(errors.Problem(rule.location.file, rule.location.line, "", f"{rule.path} {what}", remedy))
        elif not isinstance(way, OSError):
            entries.extend(_entries(rule, way))
    # As upstream, whoever rules on files rules on moving them between directories: it can change their rights.
    handled_too = each.handled | abi.Action.REFER
    return Layer(
        owner, made, each.name, each.source, int(handled_too), each.default == "allow", len(each.rules), tuple(entries)
    )


def _wrong(rule: policy.Rule, way: list[identity.Named] | OSError, unstable: set[str]) -> tuple[str, str] | None:
    """Say what is wrong with the object of a rule, and the remedy; None if it can be ruled on."""
    if isinstance(way, (FileNotFoundError, NotADirectoryError)):
        if rule.denied:
            return "does not exist, and a denial holds only for what exists", "create it first, or leave the rule out"
        return "does not exist, and only what exists can be allowed", "create it first, or leave the rule out"
    if isinstance(way, OSError):
        return f"cannot be opened: {way.strerror}", "check the path as root"
    for named in way if rule.denied else way[-1:]:
        if named.refusal:
            return named.refusal, "put the rule on an object of another filesystem"
    if rule.path in unstable:
        return (
            f"is on a filesystem of type {way[-1].magic:#x} that names an object anew when it left the cache",
            "put the rule on an object of another filesystem",
        )
    if not way[-1].directory:
        stray = (rule.allowed | rule.denied) & rule.explicit & ~hooks.FILE
        if stray:
            return f"is not a directory, and {', '.join(hooks.names(stray))} is asked of directories", "leave it out"
        if not (rule.allowed | rule.denied) & hooks.FILE:
            return "is not a directory, and all actions of its rule are asked of directories", "name the directory"
    return None


def _entries(rule: policy.Rule, way: list[identity.Named]) -> Iterator[Entry]:
    last = way[-1]
    usable = hooks.ALL if last.directory else hooks.FILE
    allowed, denied = int(rule.allowed & usable), int(rule.denied & usable)
    place = rule.path, rule.location.file, rule.location.line
    if not denied:
        yield Entry(last.object, allowed, 0, False, *place)
        return
    yield Entry(last.object, allowed, denied, True, *place)
    if last.upper != identity.NOTHING and last.upper != last.object:
        # The same file, seen without overlayfs.
        yield Entry(last.upper, 0, denied, True, *place)
    for named in way[:-1]:
        yield Entry(named.object, 0, 0, True, *place)


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
