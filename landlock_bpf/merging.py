# SPDX-License-Identifier: GPL-2.0-only
"""The merging of a domain's layers into what the engine has: one rule for each object, name and pattern. Pure values."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from landlock_bpf import abi, errors, identity, names, rows, ruleset

_LAYERS = int(abi.Limit.LAYERS)
_RULE = struct.Struct(f"={_LAYERS}Q{_LAYERS}QQII")
_HASH = struct.Struct("=Q")
_IOCTL = int(abi.Action.IOCTL)
_OPEN_BLOCK = int(abi.Action.OPEN_BLOCK)
_FIRST_CLASS = int(abi.ActionBit.COMMANDS)

# What a layer says of one thing: its number, allowed, denied, sealed, trees, named.
_Said = tuple[int, int, int, int, int, int]
Commands = tuple[int, ...]


class Merged(NamedTuple):
    """What the maps of the engine get; bytes are what stands there, keys without the ruleset's index.

    `rules` are struct rule of each of `objects`, `names` struct rule by struct object and hash, `patterns` struct pattern
    by their number, `commands` the number of a class by the command.
    """

    objects: identity.Objects
    rules: rows.Runs
    names: dict[bytes, bytes]
    patterns: tuple[abi.Pattern, ...]
    commands: dict[int, int]


class Classes:
    """The sets of ioctl commands that the rules of a ruleset tell apart: each has a bit beside those of the actions."""

    def __init__(self, layers: Sequence[ruleset.Layer]) -> None:
        """Raise LimitError where rules tell more sets apart than there are bits."""
        lists = sorted({each for layer in layers for each in _lists(layer)})
        numbers: dict[frozenset[int], int] = {}
        self.commands: dict[int, int] = {}
        for command in sorted({command for each in lists for command in each}):
            named_in = frozenset(number for number, each in enumerate(lists) if command in each)
            self.commands[command] = numbers.setdefault(named_in, len(numbers))
        most = int(abi.Limit.COMMAND_CLASSES)
        if len(numbers) > most:
            what = f"the rules of a domain tell {len(numbers)} sets of ioctl commands apart"
            raise errors.LimitError(f"{what}; at most {most} are possible: name the same commands in more of them")
        self._every = sum(1 << _FIRST_CLASS + number for number in numbers.values())
        self._of = {each: sum({1 << _FIRST_CLASS + self.commands[command] for command in each}) for each in lists}

    def spread(self, mask: int, commands: Commands = ()) -> int:
        """Say what a mask of actions comes to, with the action ioctl about some commands alone, or (none) about all."""
        if not mask & _IOCTL:
            return mask
        return mask & ~_IOCTL | self._of[commands] if commands else mask | self._every


def check(layers: Sequence[ruleset.Layer]) -> None:
    """Raise LimitError for layers that cannot be one ruleset."""
    Classes(layers)
    patterns, most = sum(len(layer.patterns) for layer in layers), int(abi.Limit.PATTERNS)
    if patterns > most:
        what = f"a domain would have {patterns} patterns of names, those of domains around it counted"
        raise errors.LimitError(f"{what}; at most {most} are possible")


def record(layers: Sequence[ruleset.Layer], serial: int) -> abi.Ruleset:
    """Make the struct ruleset of merged layers."""
    made = abi.Ruleset(serial=serial, layers=len(layers))
    classes = Classes(layers)
    for number, layer in enumerate(layers):
        made.handled[number] = classes.spread(layer.handled)
        made.default_allow[number] = classes.spread(layer.default_allow)
        made.handled_any |= made.handled[number]
        made.permissive |= layer.permissive << number
        made.diskless |= (layer.handled & _OPEN_BLOCK != 0 and not _allows(layer, _OPEN_BLOCK)) << number
        made.patterns += len(layer.patterns)
        for name in layer.names:
            made.lengths |= 1 << name.length % 64
        for pattern in layer.patterns:
            made.tails |= names.pattern(pattern.text).lasts
    made.commands = bool(classes.commands)
    asked = [(number, layer.programs.place) for number, layer in enumerate(layers) if layer.programs]
    for order, (number, place) in enumerate(reversed(asked)):
        made.programs[order] = abi.Programs(hooks=place.hooks, views=place.views, slot=place.slot, layer=number)
        made.hooks_any |= place.hooks
    return made


def merge(layers: Sequence[ruleset.Layer]) -> Merged:
    """Unite what all layers say of each object, each name and each pattern."""
    classes = Classes(layers)
    if alone := _alone(layers, classes):
        return alone
    objects: dict[bytes, tuple[_Said, ...]] = {}
    paths: dict[bytes, tuple[_Said, ...]] = {}
    patterns: list[abi.Pattern] = []
    for number, layer in enumerate(layers):
        united = _objects(layer, classes, len(patterns))
        said = {words: ((number, *words),) for words in set(united.values())}  # few: most objects have the same rule
        if objects:
            for object, words in united.items():
                objects[object] = objects.get(object, ()) + said[words]
        else:
            objects = {object: said[words] for object, words in united.items()}
        for path, denied in _paths(layer, classes).items():
            paths[path] = (*paths.get(path, ()), (number, 0, denied, 1, 0, 0))
        patterns += _patterns(layer, classes, number)
    packed = {words: _pack(words) for words in {*objects.values(), *paths.values()}}
    return Merged(
        identity.Objects.of(objects),
        rows.Runs.of(packed[words] for words in objects.values()),
        {path: packed[words] for path, words in paths.items()},
        tuple(patterns),
        classes.commands,
    )


def name_head(name: ruleset.Name) -> bytes:
    """Give struct name_key of a name without the ruleset's index."""
    return name.parent + _HASH.pack(name.hash)


def _allows(layer: ruleset.Layer, action: int) -> bool:
    """Say whether any rule of a layer allows an action."""
    return any(allowed & action for allowed in set(rows.column(layer.entries, ruleset.ALLOWED)))


def _lists(layer: ruleset.Layer) -> Iterator[Commands]:
    """Give the lists of commands in rules that a layer has."""
    yield from set(filter(None, rows.column(layer.entries, ruleset.COMMANDS)))
    for said in (layer.names, layer.patterns):
        yield from (each.commands for each in said if each.commands)


def _alone(layers: Sequence[ruleset.Layer], classes: Classes) -> Merged | None:
    """Merge where there is nothing to unite, in columns: one layer that speaks once of each object. Else None."""
    if len(layers) != 1 or layers[0].names or layers[0].trees or layers[0].patterns or classes.commands:
        return None
    column, *said = (rows.column(layers[0].entries, number) for number in range(4))
    objects = identity.Objects.of(column)
    # Mostly their inode numbers tell them apart, and of these a set is made sooner.
    if len(set(objects.inos)) < len(objects) and len(set(objects)) < len(objects):
        return None
    rules = rows.Runs((_pack([(0, *words, 0, 0)]), length) for words, length in rows.together(said))
    return Merged(objects, rules, {}, (), {})


def _objects(layer: ruleset.Layer, classes: Classes, first: int) -> dict[bytes, tuple[int, int, int, int, int]]:
    """Unite what one layer says of each object; its patterns are numbered from `first` on."""
    united: dict[bytes, tuple[int, int, int, int, int]] = {}
    spread = classes.spread if classes.commands else None
    for object, allowed, denied, sealed, _path, _file, _line, commands in layer.entries:
        if spread:
            allowed, denied = spread(allowed, commands), spread(denied, commands)
        before = united.get(object)
        if before:
            united[object] = before[0] | allowed, before[1] | denied, before[2] | sealed, 0, 0
        else:
            united[object] = allowed, denied, int(sealed), 0, 0
    for tree in layer.trees:
        allowed, denied, seal, trees, named = united.get(tree.object, (0, 0, 0, 0, 0))
        united[tree.object] = allowed, denied, seal, trees | 1 << first + tree.pattern, named
    for name in layer.names:
        allowed, denied, seal, trees, _ = united.get(name.parent, (0, 0, 0, 0, 0))
        united[name.parent] = allowed, denied, seal, trees, 1
    return united


def _paths(layer: ruleset.Layer, classes: Classes) -> dict[bytes, int]:
    united: dict[bytes, int] = {}
    for name in layer.names:
        head = name_head(name)
        united[head] = united.get(head, 0) | classes.spread(name.denied, name.commands)
    return united


def _patterns(layer: ruleset.Layer, classes: Classes, number: int) -> Iterator[abi.Pattern]:
    first = {tree.pattern: tree.object for tree in reversed(layer.trees)}
    for place, each in enumerate(layer.patterns):
        read = names.pattern(each.text)
        made = abi.Pattern(
            head_hash=names.hash_bytes(read.head) if read.head else 0,
            tail_hash=names.hash_bytes(read.tail) if read.tail else 0,
            head=len(read.head),
            tail=len(read.tail),
            exact=read.exact,
        )
        if place in first:  # else the filesystem of its tree is gone
            made.tree = abi.Object.from_buffer_copy(first[place])
        made.rule = abi.Rule.from_buffer_copy(_pack([(number, 0, classes.spread(each.denied, each.commands), 1, 0, 0)]))
        yield made


def _pack(words: Iterable[_Said]) -> bytes:
    masks = [0] * (2 * _LAYERS)
    trees = seals = named = 0
    for number, allowed, denied, sealed, beneath, leads in words:
        masks[number] = allowed
        masks[_LAYERS + number] = denied
        seals |= sealed << number
        trees |= beneath
        named |= leads
    return _RULE.pack(*masks, trees, seals, named)
