# SPDX-License-Identifier: GPL-2.0-only
"""The resolution of policies on this host: from paths to objects that the kernel names, or to all that is wrong with them."""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Union

from landlock_bpf import abi, errors, hooks, identity, mountinfo, mounts, policy, route, ruleset

DROP_CACHES = "/proc/sys/vm/drop_caches"
# Paths resolved before the iterator runs over all that is open: few runs, not too many descriptors.
_BATCH = 2048
_ALL, _FILE = int(hooks.ALL), int(hooks.FILE)

# Of each path the object, last, and for a denial the places on its way; or why it has none.
Way = Union[list[identity.Named], OSError]


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
        if node.named:
            self.hold_object(node.named.device, node.fd)

    def hold_object(self, device: int, fd: int) -> None:
        """Keep the filesystem with this device number, which an open object is on."""
        if device not in self._fds:
            self._fds[device] = os.dup(fd)


def resolve(
    policies: Sequence[policy.Policy], owner: str, made: int, identify: route.Identify, filesystems: Filesystems
) -> tuple[ruleset.Layer, ...]:
    """Resolve all policies of a domain; PolicyError with every path that cannot be ruled on.

    `filesystems` holds all that the rules are on: close it when the rules are in the kernel.
    """
    denied = {rule.path for each in policies for rule in each.rules if rule.denied}
    paths = {rule.path: rule.path in denied for each in policies for rule in each.rules}
    with route.many_descriptors():
        found = _find(paths, identify, filesystems)
        doubtful = {path: paths[path] for path, way in found.items() if isinstance(way, list) and _doubtful(way)}
        if doubtful:
            # What may have to leave the cache is held by nobody now. Whether its name stays is only seen then.
            drop_caches()
            again = _find(doubtful, identify, filesystems, certain=True)
            unstable = {path for path in doubtful if _objects(found[path]) != _objects(again[path])}
        else:
            unstable = set()
    problems: list[errors.Problem] = []
    layers = tuple(_layer(each, owner, made, found, unstable, problems) for each in policies)
    if problems:
        raise errors.PolicyError(problems)
    return tuple(_with_mounts(layer, each, identify, filesystems) for layer, each in zip(layers, policies))


def drop_caches() -> None:
    """Have what nobody holds leave the cache of inodes."""
    try:
        with open(DROP_CACHES, "w") as control:
            control.write("2")
    except OSError as cause:
        remedy = "run it outside the container: whether names last on that filesystem can only be tried there"
        raise errors.KernelError("write to", DROP_CACHES, cause.errno or errno.EIO, remedy) from cause


def _find(
    paths: dict[str, bool], identify: route.Identify, filesystems: Filesystems, *, certain: bool = False
) -> dict[str, Way]:
    """Name the object of each path, and all on its way where that is wanted (True)."""
    found: dict[str, Way] = {}
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
                if certain or (node.named and node.named.magic in identity.STABLE):
                    filesystems.hold(node)
            routes.drop(fresh)
            for path, way in ways.items():
                if way[-1].target is not None:
                    left.append(path)  # it turned out to be a link
                else:
                    found[path] = [node.named for node in (way if paths[path] else way[-1:]) if node.named]
    return found


def _with_mounts(
    layer: ruleset.Layer, each: policy.Policy, identify: route.Identify, filesystems: Filesystems
) -> ruleset.Layer:
    """Tie the denials of a layer to the roots of the mounts beneath them as well; see mounts.py."""
    inherited = mounts.denials(each.rules, mountinfo.read()) if layer.denies else {}
    if not inherited:
        return layer
    entries = []
    for point, way in _find(dict.fromkeys(inherited, False), identify, filesystems).items():
        # A name that does not last is of no use; on the way from above the denial holds all the same.
        if isinstance(way, OSError) or way[-1].refusal or _doubtful(way):
            continue
        usable = _ALL if way[-1].directory else _FILE
        for rule, denied in inherited[point]:
            place = rule.path, rule.location.file, rule.location.line
            entries.append(ruleset.Entry(way[-1].object, 0, denied & usable, False, *place))
    return dataclasses.replace(layer, entries=(*layer.entries, *entries))


def _doubtful(way: Iterable[identity.Named]) -> bool:
    return any(named.magic not in identity.STABLE for named in way)


def _objects(way: Way) -> list[bytes]:
    return [] if isinstance(way, OSError) else [named.object for named in way]


def _layer(
    each: policy.Policy,
    owner: str,
    made: int,
    found: dict[str, Way],
    unstable: set[str],
    problems: list[errors.Problem],
) -> ruleset.Layer:
    entries: list[ruleset.Entry] = []
    spread: dict[bytes, tuple[bytes, int]] = {}
    denies = False
    for rule in each.rules:
        way = found[rule.path]
        wrong = _wrong(rule, way, unstable)
        if wrong:
            what, remedy = wrong
            problems.append(errors.Problem(rule.location.file, rule.location.line, "", f"{rule.path} {what}", remedy))
        elif isinstance(way, list):
            object = way[-1].object
            spread[object[identity.DEVICE]] = object, spread.get(object[identity.DEVICE], (b"", 0))[1] + 1
            entries += _entries(rule, way)
            denies = denies or bool(entries[-1].sealed)
    # As upstream, whoever rules on files rules on moving them between directories: it can change their rights.
    handled = int(each.handled | abi.Action.REFER | hooks.WITHHELD)
    head = owner, made, each.name, each.source, handled, int(each.default_allow), len(each.rules), denies
    return ruleset.Layer(*head, tuple(spread.values()), tuple(entries))


def _wrong(rule: policy.Rule, way: Way, unstable: set[str]) -> tuple[str, str] | None:
    """Say what is wrong with the object of a rule, and the remedy; None if it can be ruled on."""
    if isinstance(way, OSError):
        return _missing(rule, way)
    for named in way:
        if named.refusal:
            return named.refusal, "put the rule on an object of another filesystem"
    if rule.path in unstable:
        what = f"is on a filesystem of type {way[-1].magic:#x}, which names an object anew once it has left the cache"
        return what, "put the rule on an object of another filesystem"
    if not way[-1].directory:
        ruled = int(rule.allowed) | int(rule.denied)
        stray = ruled & int(rule.explicit) & ~_FILE
        if stray:
            return f"is not a directory, and {', '.join(hooks.names(stray))} is asked of directories", "leave it out"
        if not ruled & _FILE:
            return "is not a directory, and all actions of its rule are asked of directories", "name the directory"
    return None


def _missing(rule: policy.Rule, error: OSError) -> tuple[str, str]:
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return f"cannot be opened: {error.strerror}", "check the path as root"
    use = "a denial holds only for what exists" if rule.denied else "only what exists can be allowed"
    return f"does not exist, and {use}", "create it first, or leave the rule out"


def _entries(rule: policy.Rule, way: list[identity.Named]) -> Iterator[ruleset.Entry]:
    last = way[-1]
    usable = _ALL if last.directory else _FILE
    allowed, denied = int(rule.allowed) & usable, int(rule.denied) & usable
    place = rule.path, rule.location.file, rule.location.line
    yield ruleset.Entry(last.object, allowed, denied, bool(denied), *place)
    if not denied:
        return
    for real in {last.beneath, last.upper} - {identity.NOTHING, last.object}:
        # The same file, seen without overlayfs.
        yield ruleset.Entry(real, 0, denied, True, *place)
    for named in way[:-1]:
        for object in {named.object, named.beneath} - {identity.NOTHING}:
            yield ruleset.Entry(object, 0, 0, True, *place)
