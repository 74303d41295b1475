# SPDX-License-Identifier: GPL-2.0-only
"""Cases made at random: a small world, policies for it, and operations in it. The same seed makes the same case."""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import ascent
import naming
import oracle
import prediction
from walker import EXCHANGE, NOREPLACE, TYPES, Operation
from world import CHAR, DIR, FILE, LINK, Dentry, Inode, Place, World

from landlock_bpf.compare import calls

NAMES = "abcde"
NEW = "abcdefghijkl"  # more likely not to be there
PATTERNS = ("a", "b*", "*c", "f", "*g")
LAYERS = (1, 1, 1, 2, 2, 3)
BIND, TMPFS, HARD = "bind", "tmpfs", "hard"

# How often each operation is tried.
WEIGHTS = {
    "open": 30,
    "rename": 18,
    "link": 8,
    "mknod": 7,
    "unlink": 6,
    "reopen": 5,
    "mkdir": 5,
    "rmdir": 5,
    "truncate": 5,
    "symlink": 4,
    "ftruncate": 4,
    "execute": 4,
    "link_held": 4,
    "link_tmpfile": 3,
    "ioctl": 3,
    "stat": 1,
}
_DECK = tuple(act for act, weight in WEIGHTS.items() for _ in range(weight))
_KINDS = tuple(TYPES)
_T = TypeVar("_T")


class Chance(random.Random):
    """Quicker choices, for there are many."""

    def choice(self, found: Sequence[_T]) -> _T:
        return found[int(self.random() * len(found))]


class Step(NamedTuple):
    """One step in the making of a world: `kind` at `path`, and what a link leads to or what is mounted."""

    kind: str
    path: str
    word: str = ""


class Ruled(NamedTuple):
    """A rule, as masks of rights. With a name it is about that pattern beneath the path."""

    path: str
    allowed: int
    denied: int
    name: str = ""


class Layer(NamedTuple):
    handled: int
    default_allow: bool
    rules: tuple[Ruled, ...]


@dataclasses.dataclass(frozen=True)
class Case:
    """All that it takes to play it again. Some operations come before the policies; `process` layers are a process's."""

    steps: tuple[Step, ...]
    held: tuple[str, ...]
    before: tuple[Operation, ...]
    layers: tuple[Layer, ...]
    process: int
    operations: tuple[Operation, ...]


def make(seed: int, number: int, length: int, *, denials: bool) -> Case:
    """Make a case with this many operations."""
    chance = Chance(f"{seed}/{number}/{denials}")
    steps = _steps(chance, links=not denials)
    world = build(steps)
    places = dict(world.places())
    folders = [path for path, place in places.items() if place.is_dir]
    files = [path for path, place in places.items() if place.inode.kind in (FILE, CHAR)]
    away = chance.choice(_ways_out(steps, world) or [None]) if chance.random() < 0.7 else None
    held = chance.choice(folders), away[0] if away else chance.choice(folders), chance.choice(files or folders)
    leaving = (Operation("rename", "", away[1], 0, "", "away"),) if away else ()
    before, first = (leaving, ()) if chance.random() < 0.7 else ((), leaving)
    layers = tuple(_layer(chance, places, denials=denials) for _ in range(chance.choice(LAYERS)))
    process = chance.choice((0, 0, 0, len(layers), len(layers) // 2))
    paths = list(places)
    operations = tuple(_operation(chance, paths, folders) for _ in range(length - len(first)))
    return Case(steps, held, before, layers, process, first + operations)


# Worlds


def _steps(chance: Chance, *, links: bool) -> tuple[Step, ...]:
    """Make the steps; hard links that are there before a denial are the matter of test_hard_links.py."""
    steps: list[Step] = []
    world = World()

    def step(kind: str, path: str, word: str = "") -> None:
        made = Step(kind, path, word)
        if _fits(world, made):
            steps.append(made)
            _take(world, made)

    kinds = [DIR] * 8 + [FILE] * 6 + [LINK] * 3 + [HARD] * (2 if links else 0) + list(TYPES)
    for _ in range(chance.randrange(14, 30)):
        places = list(world.places())
        folders = [path for path, place in places if place.is_dir and path.count("/") < 3]
        path = _join(chance.choice(folders), chance.choice(NAMES))
        kind = chance.choice(kinds)
        others = [path for path, place in places if not place.is_dir and place.inode.kind != LINK]
        if kind == LINK:
            step(LINK, path, _target(chance, [path for path, _ in places]))
        elif kind == HARD and others:
            step(HARD, path, chance.choice(others))
        elif kind != HARD:
            step(kind, path, "x" if chance.random() < 0.8 else "")
    for _ in range(chance.choice((0, 1, 1, 2))):
        places = [(path, place) for path, place in world.places() if path != "." and place.inode.kind in (DIR, FILE)]
        if not places:
            break
        point, onto = chance.choice(places)
        same = [path for path, place in world.places() if place.inode.kind == onto.inode.kind]
        step(*chance.choice([(BIND, point, chance.choice(same)), (TMPFS, point)]))
        for _ in range(3):
            step(chance.choice((DIR, FILE)), _join(point, chance.choice(NAMES)), "x")
    return tuple(steps)


def _ways_out(steps: Sequence[Step], world: World) -> list[tuple[str, str]]:
    """List directories that can be moved out of a bind mount: their path in it, and that where they are moved from."""
    places = dict(world.places())
    found = []
    for step in steps:
        point, source = places.get(step.path), places.get(step.word)
        if step.kind == BIND and point and source and point.dentry is source.dentry:
            folders = [child for child in source.dentry.children.values() if child.inode.kind == DIR]
            found += [(f"{step.path}/{child.name}", _join(step.word, child.name)) for child in folders]
    return found


def _join(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"


def _target(chance: Chance, paths: Sequence[str]) -> str:
    path = chance.choice(paths)
    ways = path, f"/{path}", f"../{path}", chance.choice(NAMES), f"../{chance.choice(NAMES)}", ".", f"{chance.choice(NAMES)}/"
    return chance.choice(ways)


def _fits(world: World, step: Step) -> bool:
    """Say whether a step can be made: there is a directory and no such name, or something to mount on."""
    places = dict(world.places())
    if step.kind in (BIND, TMPFS):
        return step.kind == BIND or places[step.path].is_dir
    folder, _, name = step.path.rpartition("/")
    place = places.get(folder or ".")
    return place is not None and place.is_dir and name not in place.dentry.children and _same_mount(places, step, place)


def _same_mount(places: dict[str, Place], step: Step, folder: Place) -> bool:
    return step.kind != HARD or places[step.word].mount is folder.mount


def _take(world: World, step: Step) -> None:
    """Make a step in a model."""
    if step.kind in (BIND, TMPFS):
        root = world.find("", step.word).dentry if step.kind == BIND else Dentry(None, "", Inode(DIR))
        world.mount(world.find("", step.path), root)
        return
    last = world.last("", step.path)
    if step.kind == HARD:
        inode = world.find("", step.word).inode
        inode.links += 1
    else:
        inode = Inode(step.kind, step.word if step.kind == LINK else "", executable=step.kind == FILE and bool(step.word))
    dentry = last.parent.dentry
    dentry.children[last.name] = Dentry(dentry, last.name, inode)


def build(steps: Sequence[Step]) -> World:
    """Make the model of a world."""
    world = World()
    for step in steps:
        _take(world, step)
    return world


def plant(steps: Sequence[Step], top: Path) -> None:
    """Make a world for real."""
    top.mkdir()
    for step in steps:
        path = top / step.path
        if step.kind == BIND:
            calls.mount(top / step.word, path, flags=calls.MS_BIND)
        elif step.kind == TMPFS:
            calls.mount("none", path, "tmpfs", data="mode=700")
        elif step.kind == DIR:
            path.mkdir()
        elif step.kind == LINK:
            path.symlink_to(step.word)
        elif step.kind == HARD:
            os.link(top / step.word, path, follow_symlinks=False)
        else:
            kind, device = TYPES[step.kind]
            os.mknod(path, kind | (0o700 if step.word else 0o600), device)
            if step.kind == FILE:
                path.write_text("text")


# Policies


def _layer(chance: Chance, places: dict[str, Place], *, denials: bool) -> Layer:
    handled = prediction.ALL if chance.random() < 0.5 else _some(chance, prediction.ALL, 0.5)
    default_allow = denials and chance.random() < 0.5
    ruled = [path for path, place in places.items() if place.inode.kind != LINK]
    rules = [(".", _some(chance, handled, 0.8), 0)] if chance.random() < 0.6 else []
    for path in chance.choices(ruled, k=chance.randrange(5)):
        allowed = handled if chance.random() < 0.4 else _some(chance, handled, 0.5)
        denied = _some(chance, handled, chance.choice((0.1, 0.5, 1.0))) if denials and chance.random() < 0.6 else 0
        rules.append((path, 0 if denied and chance.random() < 0.5 else allowed, denied))
    found = _usable(places, [Ruled(*each) for each in rules])
    folders = [path for path, place in places.items() if place.is_dir]
    if denials and chance.random() < 0.5:
        found += [_naming(chance, places, chance.choice(folders), handled) for _ in range(chance.choice((1, 1, 2, 3)))]
    return Layer(handled, default_allow, tuple(found))


def _naming(chance: Chance, places: dict[str, Place], folder: str, handled: int) -> Ruled:
    """Make a rule on a pattern of names, or on a path that is not there."""
    denied = _some(chance, handled, chance.choice((0.2, 1.0)))
    path = _join(folder, chance.choice(NEW))
    if path in places or chance.random() < 0.5:
        return Ruled(folder, 0, denied, chance.choice(PATTERNS))
    return Ruled(path if chance.random() < 0.6 else f"{path}/{chance.choice(NAMES)}", 0, denied)


def _usable(places: dict[str, Place], rules: Sequence[Ruled]) -> list[Ruled]:
    """Leave out what rules say of files that makes sense on directories only, and rules that say nothing then."""
    found = []
    for path, allowed, denied, _ in rules:
        usable = prediction.ALL if places[path].is_dir else prediction.ON_FILES
        if (allowed | denied) & usable:
            found.append(Ruled(path, allowed & usable, denied & usable))
    return found


def _some(chance: Chance, mask: int, share: float) -> int:
    """Choose some of the rights of a mask, and never none."""
    found = prediction.bits(mask)
    return sum(right for right in found if chance.random() < share) or chance.choice(found)


def tie(world: World, layers: Sequence[Layer]) -> naming.Names:
    """Tie the rules of layers to the objects of a model, and to names."""
    masks: dict[Inode, tuple[list[int], list[int]]] = {}
    names = naming.Names(len(layers))
    for number, layer in enumerate(layers):
        for path, allowed, denied, name in layer.rules:
            found, missing = _deepest(world, path)
            inode = world.find("", "/".join(found) or ".").inode
            if missing:
                names.deny_path(number, inode, missing, denied)
            elif name:
                names.deny_pattern(number, inode, name, denied)
            else:
                both = masks.setdefault(inode, ([0] * len(layers), [0] * len(layers)))
                both[0][number] |= allowed
                both[1][number] |= denied
            for count in range(len(found) if denied else 0):
                world.find("", "/".join(found[: count + 1])).inode.sealed.add(number)
    for inode, (allowed_by, denied_by) in masks.items():
        inode.rule = oracle.Rule(tuple(allowed_by), tuple(denied_by))
    return names


def _deepest(world: World, path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split a path into what is there and what is missing."""
    names = tuple(path.split("/"))
    places = dict(world.places())
    count = next(count for count in range(len(names), -1, -1) if ("/".join(names[:count]) or ".") in places)
    return names[:count], names[count:]


def foretell(
    case: Case, *, split: bool = False, reconnects: bool = False, swaps: bool = False, commands: bool = False
) -> tuple[list[int], World]:
    """Play a case in a model; `split`: the layers of the process are asked after the others. `reconnects`: ascent.Layers.
    `swaps`: nobody opens a file as swapon(2) does. `commands`: who opens one for commands alone may read and write it.

    Some of the errnos may be prediction.GUARDED.
    """
    world = build(case.steps)
    world.held = [world.find("", path) for path in case.held]
    names = tie(world, case.layers)
    for operation in case.before:
        prediction.Prediction(world, ascent.Layers(), naming.Names(0)).outcome(operation)
    # Who rules on anything rules on moving between directories.
    handled = tuple(layer.handled | prediction.REFER for layer in case.layers)
    default = tuple(prediction.ALL if layer.default_allow else 0 for layer in case.layers)
    every = tuple(range(len(case.layers)))
    cut = len(case.layers) - case.process
    groups = (every[:cut], every[cut:]) if split else (every,)
    asked = ascent.Layers(handled, default, groups, reconnects)
    player = prediction.Prediction(world, asked, names, swaps=swaps, commands=commands)
    return [player.outcome(operation) for operation in case.operations], world


# Operations


def _path(chance: Chance, paths: Sequence[str], folders: Sequence[str], *, new: bool = False) -> str:
    name = chance.choice(NEW if new else NAMES)
    dice = chance.random()
    if dice < (0.1 if new else 0.6):
        return chance.choice(paths)
    if dice < 0.84:
        return _join(chance.choice(folders), name)
    path = chance.choice(paths)
    ways = f"{path}/../{name}", f"{path}/", f"/{path}", f"{path}/.", f"{path}/..", f"{name}/{chance.choice(NAMES)}"
    return chance.choice(ways)


def _beneath(chance: Chance, *, new: bool) -> str:
    """Make a path that begins somewhere in the middle."""
    name, other = chance.choice(NEW if new else NAMES), chance.choice(NAMES)
    return chance.choice((name, name, name, f"{name}/{other}", f"../{name}", ".", "..", f"{name}/"))


def _from(chance: Chance, paths: Sequence[str], folders: Sequence[str], *, new: bool = False) -> tuple[str, str]:
    dice = chance.random()
    if dice < 0.7:
        return "", _path(chance, paths, folders, new=new)
    return (f"@{chance.randrange(2)}" if dice < 0.85 else chance.choice(folders)), _beneath(chance, new=new)


_MODES = (os.O_RDONLY, os.O_RDONLY, os.O_WRONLY, os.O_WRONLY, os.O_RDWR, os.O_ACCMODE)
_EXTRA = (os.O_TRUNC, os.O_APPEND, os.O_NOFOLLOW, os.O_DIRECTORY, os.O_EXCL)


def _flags(chance: Chance) -> int:
    flags = chance.choice(_MODES) | (os.O_CREAT if chance.random() < 0.3 else 0)
    for extra in _EXTRA:
        flags |= extra if chance.random() < 0.12 else 0
    return flags | (os.O_PATH if chance.random() < 0.04 else 0)


def _operation(chance: Chance, paths: Sequence[str], folders: Sequence[str]) -> Operation:
    act = chance.choice(_DECK)
    at, path = _from(chance, paths, folders, new=act in ("mkdir", "mknod", "symlink"))
    if act in ("truncate", "execute"):
        return Operation(act, "", _path(chance, paths, folders))
    if act == "open" and chance.random() < 0.1:
        at, path = "", chance.choice(folders)
        return Operation(act, at, path, os.O_TMPFILE | chance.choice(_MODES[:5]))
    if act in ("open", "ftruncate", "ioctl"):
        return Operation(act, at, path, _flags(chance))
    if act == "reopen":
        if chance.random() < 0.2:
            at, path = "@2", ""
        flags = os.O_PATH | (os.O_NOFOLLOW if chance.random() < 0.1 else 0)
        return Operation(act, at, path, flags, flags2=_flags(chance))
    if act == "stat":
        return Operation(act, at, path, chance.randrange(2))
    if act == "mknod":
        return Operation(act, at, path, word=chance.choice(_KINDS))
    if act == "symlink":
        return Operation(act, at, path, word=_target(chance, paths))
    if act not in ("link", "link_held", "link_tmpfile", "rename"):
        return Operation(act, at, path)
    at2, path2 = _from(chance, paths, folders, new=act != "rename" or chance.random() < 0.5)
    if act == "link_held" and chance.random() < 0.3:
        at, path = "@2", ""
    if act == "link_tmpfile":
        at, path = "", chance.choice(folders)
        return Operation(act, at, path, os.O_TMPFILE | os.O_RDWR, at2, path2)
    if act == "link":
        return Operation(act, at, path, 0, at2, path2, word=chance.choice(("", "", "follow")))
    if act != "rename":
        return Operation(act, at, path, 0, at2, path2)
    flags = chance.choice((0, 0, 0, EXCHANGE, EXCHANGE, NOREPLACE))
    # Of ENOTDIR for a slash and EINVAL for a directory beneath itself, some kernels choose the one and some the other.
    return Operation(act, at, path.rstrip("/") or path, flags, at2, path2.rstrip("/") or path2)
