# SPDX-License-Identifier: GPL-2.0-only
"""Rulesets: what the layers of a domain say of objects and names, each layer by itself. Pure values; see merging.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from landlock_bpf import abi, rows

ENGINE, LSM_CGROUP = "engine", "lsm_cgroup"
# The hash of bpf/walk.h, may_have_rule().
_FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93
_ALL_64 = (1 << 64) - 1
_SHIFT = 64 - int(abi.Limit.FILTER_BITS)
_BITS = (1 << abi.Limit.FILTER_BITS) - 1
_IOCTL = int(abi.Action.IOCTL)


# Where a rule stands, by which it is known: its path, file and line. Several of one line may have the same path.
Source = tuple[str, str, int]


class Entry(NamedTuple):
    """What a policy says of one object; `object` is struct object as bytes. Without rights: a place on a denial's way.

    With `commands`, the action ioctl is about these alone.
    """

    object: bytes
    allowed: int
    denied: int
    sealed: bool
    path: str
    file: str
    line: int
    commands: tuple[int, ...] = ()

    @property
    def source(self) -> Source:
        return self.path, self.file, self.line

    @property
    def own(self) -> bool:
        """Whether it is on the rule's own object: denials of mounts beneath it and of other links seal nothing."""
        return bool(self.allowed or (self.denied and self.sealed))

    @property
    def inherited(self) -> bool:
        """Whether it is a denial on what is not the rule's own object; see covering.py."""
        return bool(self.denied and not self.sealed)


ALLOWED, COMMANDS = (Entry._fields.index(name) for name in ("allowed", "commands"))


class Name(NamedTuple):
    """What a policy denies of a path that need not exist: it begins at the object `parent`, `hash` is that of its names.

    `length` is that of the last name. Without rights: a place on the way to such a path.
    """

    parent: bytes
    hash: int
    length: int
    denied: int
    path: str
    file: str
    line: int
    commands: tuple[int, ...] = ()

    @property
    def source(self) -> Source:
        return self.path, self.file, self.line


class Pattern(NamedTuple):
    """What a policy denies of names beneath trees."""

    text: str
    denied: int
    file: str
    line: int
    commands: tuple[int, ...] = ()


class Tree(NamedTuple):
    """A directory beneath which a pattern holds: that of this place in Layer.patterns."""

    object: bytes
    pattern: int
    path: str

    def shown(self, pattern: Pattern) -> str:
        """Write for people what the pattern is about."""
        return f"{self.path.rstrip('/')}/**/{pattern.text}"

    def source(self, pattern: Pattern) -> Source:
        return self.path, pattern.file, pattern.line


class RuleProgram(NamedTuple):
    """Where a rule program was written, and what of its subtype matters afterwards: enum event, and mask of abilities."""

    file: str
    line: int
    function: str
    event: int
    ability: int


class View(NamedTuple):
    """An fsview that rule programs ask, and how many objects may be marked in it. Its number is its place in Programs.views."""

    name: str
    most: int


class Mark(NamedTuple):
    """What a view says of one object; with the mark 0, that an object beneath it is marked."""

    object: bytes
    view: int
    mark: int
    path: str


class Place(NamedTuple):
    """Where the kernel has rule programs: a slot in the program arrays of hooks (a mask), and their views, by serial number."""

    slot: int
    hooks: int
    views: int


@dataclasses.dataclass(frozen=True)
class Programs:
    """The rule programs of a layer, as loaded: the last one is the newest, and a rule's place is its number in denials.

    `hooks` is a mask of 1 << enum hook: those that ask. `attach` says which way, ENGINE or LSM_CGROUP, and `why`. `serial`
    is that of the marks, 0 where there are no views. Where only the head of a record was read, there are no marks.
    """

    slot: int
    hooks: int
    attach: str
    why: str
    loader: str
    rules: tuple[RuleProgram, ...]
    views: tuple[View, ...] = ()
    serial: int = 0
    marks: tuple[Mark, ...] = ()

    @property
    def place(self) -> Place:
        return Place(self.slot, self.hooks if self.attach == ENGINE else 0, self.serial)


@dataclasses.dataclass(frozen=True)
class Layer:
    """A policy resolved on this host, given to the domain `owner` as part of its ruleset `made`; nested ones have it too.

    Or rule programs, and then it handles no action. `default_allow` are those of the handled actions that are allowed where no
    rule decides. `spread` says of each filesystem how many of the `rules` are on it, with one of the objects. `notes` say what
    of the policy could not be covered, each of them first of which path, `uncovered` which links and mounts could not be, by
    all rules. Where only the head of a record was read, there are no entries, names and trees.
    """

    owner: str
    made: int
    policy: str
    source: str
    handled: int
    default_allow: int
    rules: int
    denies: bool
    spread: tuple[tuple[bytes, int], ...]
    entries: Sequence[Entry] = ()
    programs: Programs | None = None
    permissive: bool = False
    names: tuple[Name, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    trees: tuple[Tree, ...] = ()
    notes: tuple[str, ...] = ()
    uncovered: tuple[str, ...] = ()

    def objects(self) -> set[bytes]:
        """Collect the objects that it speaks of, or of names in them."""
        said = set(rows.column(self.entries, 0))
        return said.union((name.parent for name in self.names), (tree.object for tree in self.trees))

    def named(self) -> set[Source]:
        """Collect the rules on names: what has to be there for them is sealed by entries of theirs."""
        found = {name.source for name in self.names}
        return found.union(tree.source(self.patterns[tree.pattern]) for tree in self.trees)

    def keep(self, objects: set[bytes]) -> Layer:
        """Leave out what is said of all other objects: those whose filesystem is gone."""
        return dataclasses.replace(
            self,
            entries=tuple(entry for entry in self.entries if entry.object in objects),
            names=tuple(name for name in self.names if name.parent in objects),
            trees=tuple(tree for tree in self.trees if tree.object in objects),
        )


def own(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Give the layers that a domain was given itself: the last ones, all made at once."""
    last = layers[-1]
    return tuple(layer for layer in layers if (layer.owner, layer.made) == (last.owner, last.made))


def notes(layers: Iterable[Layer]) -> tuple[str, ...]:
    """Say what of the policies of layers could not be covered."""
    return tuple(dict.fromkeys(note for layer in layers for note in (*layer.notes, *layer.uncovered)))


def of_programs(owner: str, made: int, programs: Programs) -> Layer:
    """Make the layer of rule programs: it allows all that its rules do not deny."""
    sources = tuple(dict.fromkeys(rule.file for rule in programs.rules))
    return Layer(owner, made, "rule programs", ", ".join(sources), 0, 0, 0, False, (), programs=programs)


def places(layers: Iterable[Layer]) -> tuple[Place, ...]:
    """Say where the kernel has the rule programs of layers."""
    return tuple(layer.programs.place for layer in layers if layer.programs)


def places_of(ruleset: abi.Ruleset) -> Iterator[Place]:
    """Say that of a ruleset in the kernel."""
    for each in ruleset.programs:
        if not each.slot:
            break
        yield Place(each.slot, each.hooks, each.views)


def view_marks(marks: Iterable[Mark], views: int) -> dict[bytes, bytes]:
    """Say for each object what all of so many views say of it: struct object to struct view_marks, both as bytes.

    Where one object is marked twice in one view, the later mark holds.
    """
    said: dict[bytes, abi.ViewMarks] = {}
    for object, view, mark, _path in marks:
        here = said.setdefault(object, abi.ViewMarks(all=(1 << views) - 1))
        here.ways |= 1 << view  # a marked object is the end of the way to it
        if mark:
            here.marks[view] = mark
    return {object: bytes(here) for object, here in said.items()}


def handled(layers: Iterable[Layer]) -> int:
    """Unite what the layers handle."""
    union = 0
    for layer in layers:
        union |= layer.handled
    return union


def low_word(serial: int) -> int:
    """Give what a set of views has in the place of a ruleset's index, in filter_bit()."""
    return serial & 0xFFFFFFFF


def speaks(mask: int, commands: tuple[int, ...], command: int | None) -> int:
    """Give what a rule about `commands`, or all, says where one is asked: without ioctl, if it is about others.

    None stands for a command that no rule names.
    """
    return mask & ~_IOCTL if commands and command not in commands else mask


def filter_bits(inos: Iterable[int], index: int) -> list[int]:
    """Give the bits of the filter that must be set before rules on these inode numbers hold in ruleset `index`."""
    # (ino + index * _FIRST) * _SECOND, with less to multiply.
    second, shift, bits, plus = _SECOND, _SHIFT, _BITS, index * _FIRST * _SECOND & _ALL_64
    return [ino * second + plus >> shift & bits for ino in inos]
