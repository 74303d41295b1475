# SPDX-License-Identifier: GPL-2.0-only
"""The ways on which rules on names may come to a path: the one that is seen, and its filesystem's own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from landlock_bpf import abi, ascent, explainer, identity, name_rules, showing, spellings, statfs


class Found(NamedTuple):
    """A path as rules on names see it; `all` unless directories above it on its filesystem are to be seen nowhere."""

    path: name_rules.Path
    all: bool
    device: bytes


def find(live: explainer.Explainer, index: int, places: ascent.Ascent) -> Found:
    """Ask the engine, under a ruleset, about the places above a path."""
    told = live.ask(index, places.fds, explainer.EVERYTHING)
    directory = places.object if places.names else places.fds[min(1, len(places.fds) - 1)]
    last = places.names or [os.path.basename(places.target)]
    ways = list(_ways(places, places.target, told))
    above = showing.above(directory)
    if above.path:
        # What is denied beneath a directory is denied as well where a mount shows the filesystem from further down.
        with ascent.Ascent(above.path, follow=False) as own:
            mount = showing.mount_id(own.object)
            beneath = live.ask(index, [fd for fd in own.fds if showing.mount_id(fd) == mount], 0)
            ways += _ways(own, "/".join([own.target, *last]), beneath)
    trees = told[directory].trees if directory in told else 0
    folds = bool(spellings.why(directory, statfs.magic(directory) or 0))
    device = bytes(told[directory].object)[identity.DEVICE] if directory in told else b""
    return Found(name_rules.Path(ways, [os.fsencode(name) for name in last], trees, folds), above.all, device)


def _ways(places: ascent.Ascent, target: str, told: Mapping[int, abi.Explained]) -> Iterator[tuple[bytes, list[bytes]]]:
    """Give the places, by their names, each with the names of the target from there."""
    for fd, path in places.paths():
        if fd in told:
            parts = [os.fsencode(part) for part in target[len(path) :].split("/") if part]
            yield from ((object, parts) for object in dict.fromkeys(identity.names_of(bytes(told[fd].object))))
