# SPDX-License-Identifier: GPL-2.0-only
"""The asker: why a ruleset, in force or made for the question, allows or denies an access.

The engine decides, by the walk of every access: it is asked for the object, and for each place above it. This adds where the
rules were written, and what rules on names say of what is not there.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import itertools
import operator
import os
import stat
from collections.abc import Iterator, Sequence

from landlock_bpf import (
    abi,
    access,
    action_table,
    ascent,
    change,
    domain,
    engine,
    errors,
    explainer,
    explanation,
    fsview,
    hooks,
    identity,
    installation,
    ioctl_commands,
    merging,
    name_rules,
    name_ways,
    naming,
    paths,
    policy,
    record,
    resolution,
    ruleset,
    showing,
    sweep,
    unasked,
    ways,
)
from landlock_bpf.abi import Action

NOTHING = Action(0)
MOVES = ("rename", "link")
# Before a command by its name or number: what is asked of ioctl(2) with it.
IOCTL = "ioctl:"
_ALL_LAYERS = (1 << abi.Limit.LAYERS) - 1
# What the engine says of open places, by their descriptors.
Told = dict[int, abi.Explained]


class Asker:
    """What asks the engine about one ruleset, whose layers are known."""

    def __init__(self, live: explainer.Explainer, index: int, layers: Sequence[ruleset.Layer], permissive: int) -> None:
        self._live = live
        self._index = index
        self._layers = layers
        self._permissive = permissive
        # Patterns are numbered layer after layer.
        self._first = [0, *itertools.accumulate(len(layer.patterns) for layer in layers)]
        self._paths: dict[ascent.Ascent, name_rules.Path] = {}
        self._unasked: set[str] = set()
        self._rules: dict[bytes, list[tuple[int, ruleset.Entry]]] = {}
        for number, layer in enumerate(layers):
            for entry in layer.entries:
                self._rules.setdefault(entry.object, []).append((number, entry))

    def answer(self, word: str, path: str, path2: str = "") -> explanation.Answer:
        """Answer for an action by its name, IOCTL and a command, or a move.

        ValueError for what is none of these, OSError where a path cannot be looked at.
        """
        self._paths.clear()
        self._unasked.clear()
        missing, questions = False, tuple(self._questions(word, path, path2))
        if not path2:
            is_there = os.path.lexists if access.is_of_link(word) else os.path.exists
            missing = not is_there(path)
        allowed = all(each.allowed for each in questions)
        return explanation.Answer(word, path, path2, allowed, missing, tuple(sorted(self._unasked)), questions)

    def _questions(self, word: str, path: str, path2: str) -> Iterator[explanation.Question]:
        if word in MOVES:
            yield from self._move(word, path, path2)
        elif word.startswith(IOCTL):
            yield from self._commands(ioctl_commands.numbers(word[len(IOCTL) :]), path)
        else:
            action = Action.__members__.get(word.upper())
            if action is None:
                raise ValueError(f"{word!r} is no action; docs/ACTIONS.md names all")
            yield from self._ask(action, path)
            if action == Action.REFER and path2:
                yield from self._ask(action, path2)
                yield from self._gain(path, path2)

    def _ask(self, action: Action, path: str) -> Iterator[explanation.Question]:
        if action & (action_table.REMOVING | action_table.MAKING):
            yield from self._seal(path, directory=action == Action.MAKE_DIR)
        elif action == Action.MOUNT:
            yield from self._seal(path, follow=True)
        yield from self._access(action, path)

    def _access(self, action: Action, path: str) -> Iterator[explanation.Question]:
        with ascent.Ascent(path, follow=not action & access.LINK, parent=bool(action & action_table.OF_PARENT)) as places:
            yield from self._shown(access.Asked(action, int(action)), places)
            for mask, commands in self._classes() if action == Action.IOCTL else ():
                yield self._question(access.Asked(action, mask, commands), places)

    def _shown(self, asked: access.Asked, places: ascent.Ascent) -> Iterator[explanation.Question]:
        """Ask for an action, on all mounts that show the object where its hook is not told which of them was used."""
        yield self._question(asked, places)
        if unasked.domain(asked.action, places):
            self._unasked.add(unasked.DOMAIN)
        if unasked.links(asked.action, places):
            self._unasked.add(unasked.LINKS)
        if not asked.action & self._mountless:
            return
        shown = showing.elsewhere(places.object)
        if not shown.all:
            self._unasked.add(unasked.MOUNTS)
        for path in shown.paths:
            with ascent.Ascent("/".join([path.rstrip("/"), *places.names]) or "/", follow=False) as others:
                yield self._question(asked, others)

    @functools.cached_property
    def _mountless(self) -> Action:
        """The actions of which all mounts are asked: some hooks for them are not in every kernel."""
        there = (row.actions for row in hooks.MOUNTLESS if not row.optional or self._live.has(row.name))
        return functools.reduce(operator.or_, there, NOTHING)

    def _classes(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Give the sets of ioctl commands that the layers tell apart, each with the engine's bit of it."""
        told = merging.Classes(self._layers).commands
        for number in sorted(set(told.values())):
            yield 1 << abi.ActionBit.COMMANDS + number, tuple(command for command in told if told[command] == number)

    def _commands(self, commands: Sequence[int], path: str) -> Iterator[explanation.Question]:
        """Ask for all that the engine asks for commands: those that it asks the same for together."""
        with ascent.Ascent(path, follow=True) as places:
            alike: dict[tuple[int, int], tuple[int, ...]] = {}
            for command in commands:
                told = self._live.ask(self._index, [places.object], 0, command=command)
                for answer in told.values():
                    needs = int(answer.asked), int(answer.escapes)
                    alike[needs] = (*alike.get(needs, ()), command)
            for (mask, escapes), same in alike.items():
                if escapes:
                    verdicts = (self._verdict(*each, False, "domain", None) for each in enumerate(self._layers))
                    yield explanation.Question("domain", places.target, tuple(verdicts), (), same)
                for row in action_table.ACTIONS:
                    if row.action & action_table.plain(mask):
                        own = mask & ~int(action_table.EVERY & ~Action.IOCTL) if row.action == Action.IOCTL else int(row.action)
                        yield from self._shown(access.Asked(row.action, own, same), places)

    def _seal(
        self, path: str, *, directory: bool = False, linked: bool = False, follow: bool = False
    ) -> Iterator[explanation.Question]:
        """Ask whether something may be removed, replaced or mounted on, made where it is missing, or linked."""
        with ascent.Ascent(path, follow=follow) as places:
            told = self._live.ask(self._index, places.fds, 0)
            if places.names:
                found = self._sealed_names(places, directory=directory)
            elif places.object not in told:
                found = {}
            else:
                found = (self._denied_names if linked else self._sealed)(told[places.object], places)
            if found:
                verdicts = tuple(
                    self._verdict(
                        number, layer, number not in found, "sealed" if number in found else "allowed", found.get(number)
                    )
                    for number, layer in enumerate(self._layers)
                )
                yield explanation.Question("seal", places.target, verdicts, self._walk(None, places, told))

    def _sealed(self, answer: abi.Explained, places: ascent.Ascent) -> dict[int, explanation.Rule | None]:
        """Give the layers in which the engine says that something is sealed, each with a rule that does it."""
        found: dict[int, explanation.Rule | None] = {}
        for number in range(len(self._layers)):
            if answer.sealed >> number & 1:
                entries = (entry for other, entry in self._entries(answer) if other == number and entry.sealed)
                rules = (_written(number, entry) for entry in entries)
                found[number] = next(rules, None) or next((each.rule for each in self._sayings(number, places)), None)
        return found

    def _sealed_names(self, places: ascent.Ascent, *, directory: bool) -> dict[int, explanation.Rule | None]:
        """Give the layers in which a missing name may not be made: a denied one or, but as a directory, one on its way."""
        found: dict[int, explanation.Rule | None] = {}
        for number in range(len(self._layers)):
            for rule, name in self._sayings(number, places):
                if name == 0 and (rule.denied or not directory):
                    found.setdefault(number, rule)
        return found

    def _denied_names(self, answer: abi.Explained, places: ascent.Ascent) -> dict[int, explanation.Rule | None]:
        """Give the layers that deny a name what they do not deny the object: under another name it would be allowed."""
        found: dict[int, explanation.Rule | None] = {}
        for number in range(len(self._layers)):
            # The engine tells all seals in one. Those of the object are no concern, nor of a name on the way to a denied one.
            own = (answer.rule.sealed | answer.beneath.sealed) >> number & 1
            rules = [rule for rule, name in self._sayings(number, places) if name == 0]
            denying = next((rule for rule in rules if rule.denied), None)
            if answer.sealed >> number & 1 and (denying or not (own or rules)):
                found[number] = denying
        return found

    def _sayings(self, number: int, places: ascent.Ascent) -> list[name_rules.Saying]:
        """Give what a layer says of the names of a path, of the last first."""
        layer = self._layers[number]
        if not layer.names and not layer.patterns:
            return []
        if places not in self._paths:
            found = name_ways.find(self._live, self._index, places)
            begins = {name.parent[identity.DEVICE] for each in self._layers for name in each.names}
            if not found.all and found.device in begins:
                self._unasked.add(unasked.NAMES)
            self._paths[places] = found.path
        return self._paths[places].sayings(number, layer, self._first[number])

    def _move(self, word: str, path: str, path2: str) -> Iterator[explanation.Question]:
        """Ask all that a rename or link is asked, in no particular order: all must be allowed."""
        mode = os.lstat(path).st_mode
        yield from self._seal(path, linked=word == "link")
        # A directory that is moved to the way of a denied path may have all of it within.
        yield from self._seal(path2)
        if word == "rename":
            yield from self._access(access.removing(mode), path)
            with contextlib.suppress(FileNotFoundError):
                yield from self._access(access.removing(os.lstat(path2).st_mode), path2)
        yield from self._access(access.making(mode), path2)
        if not os.path.samefile(*(ascent.directory(paths.absolute(each)) for each in (path, path2))):
            yield from self._access(Action.REFER, path)
            yield from self._access(Action.REFER, path2)
            yield from self._gain(path, path2)

    def _gain(self, path: str, path2: str) -> Iterator[explanation.Question]:
        """Ask whether something gains a right by moving, or takes names along out of a pattern's tree."""
        with (
            ascent.Ascent(path, follow=False) as places,
            ascent.Ascent(path, follow=True, parent=True) as old,
            ascent.Ascent(path2, follow=True, parent=True) as new,
        ):
            if places.names or old.names or new.names:
                return
            target = fcntl.fcntl(new.object, fcntl.F_DUPFD_CLOEXEC, places.object + 1)
            try:
                trees = self._live.ask(self._index, [old.object, target], explainer.EVERYTHING)
                leaves = stat.S_ISDIR(places.mode) and trees[old.object].trees & ~trees[target].trees
                verdicts = []
                for number, layer in enumerate(self._layers):
                    first = self._first[number]
                    left = any(each.denied and leaves >> first + place & 1 for place, each in enumerate(layer.patterns))
                    words = {"skip": ~(1 << number) & _ALL_LAYERS, "source": places.object, "target": target}
                    gains = self._live.ask(self._index, [target], explainer.EVERYTHING, **words)[target].gains
                    refused = bool(gains) or left
                    verdicts.append(self._verdict(number, layer, not refused, "refer" if refused else "allowed", None))
            finally:
                os.close(target)
            if not all(verdict.allowed for verdict in verdicts):
                yield explanation.Question("gain", places.target, tuple(verdicts), ())

    def _question(self, asked: access.Asked, places: ascent.Ascent) -> explanation.Question:
        told = self._live.ask(self._index, places.fds, asked.mask)
        verdicts = tuple(self._decided(asked, places, told)) if places.object in told else ()
        name, walk = (asked.action.name or "").lower(), self._walk(asked, places, told)
        return explanation.Question(name, places.target, verdicts, walk, asked.commands)

    def _decided(self, asked: access.Asked, places: ascent.Ascent, told: Told) -> Iterator[explanation.Verdict]:
        for number, layer in enumerate(self._layers):
            # Of what is there the engine knows what rules on names say.
            sayings = self._sayings(number, places) if places.names else []
            missing = (rule for rule, name in sayings if name < len(places.names))
            rule = next((rule for rule in missing if asked.of(rule.denied, rule.commands)), None)
            if layer.programs or not layer.handled & asked.action:
                yield self._verdict(number, layer, True, "programs" if layer.programs else "unhandled", None)
            elif rule:
                yield self._verdict(number, layer, False, "named", rule)
            elif told[places.object].refused[number] & asked.mask:
                yield self._denied(number, layer, asked, places)
            else:
                yield self._allowed(number, layer, asked, places, told)

    def _denied(self, number: int, layer: ruleset.Layer, asked: access.Asked, places: ascent.Ascent) -> explanation.Verdict:
        """Ask again for one layer alone: now the rule that decides is its own."""
        told = self._live.ask(self._index, places.fds, asked.mask, skip=~(1 << number) & _ALL_LAYERS)
        here = told[places.object]
        reason = abi.Reason(here.reason)
        rules: Iterator[explanation.Rule] = iter(())
        if reason == abi.Reason.RULE:
            keys = identity.names_of(bytes(here.decided))
            entries = (entry for entry in layer.entries if entry.object in keys and asked.of(entry.denied, entry.commands))
            rules = (_written(number, entry) for entry in entries)
        elif reason == abi.Reason.NAMED:
            rules = (rule for rule, _ in self._sayings(number, places) if asked.of(rule.denied, rule.commands))
        return self._verdict(number, layer, False, reason.name.lower(), next(rules, None))

    def _allowed(
        self, number: int, layer: ruleset.Layer, asked: access.Asked, places: ascent.Ascent, told: Told
    ) -> explanation.Verdict:
        for fd in places.fds:
            for other, entry in self._entries(told[fd]) if fd in told else ():
                if other == number and asked.of(entry.allowed, entry.commands):
                    return self._verdict(number, layer, True, "allowed", _written(number, entry))
        return self._verdict(number, layer, True, "default", None)

    def _verdict(
        self, number: int, layer: ruleset.Layer, allowed: bool, reason: str, rule: explanation.Rule | None
    ) -> explanation.Verdict:
        return explanation.Verdict(number, layer.policy, allowed, bool(self._permissive >> number & 1), reason, rule)

    def _walk(self, asked: access.Asked | None, places: ascent.Ascent, told: Told) -> tuple[explanation.Place, ...]:
        """Tell what rules on the way say of what is asked, or of anything."""
        walk = []
        for fd, path in places.paths():
            answer = told.get(fd)
            rules: list[explanation.Rule] = []
            sealed = 0
            if answer:
                sealed = answer.rule.sealed | answer.beneath.sealed
                written = [_written(number, entry) for number, entry in self._entries(answer)]
                for number, layer in enumerate(self._layers):
                    keys = identity.names_of(bytes(answer.object))
                    trees = (tree for tree in layer.trees if tree.object in keys)
                    written += [name_rules.patterned(number, tree, layer.patterns[tree.pattern]) for tree in trees]
                said = (
                    rule.about(Action(asked.of(action_table.EVERY, rule.commands)) if asked else action_table.EVERY)
                    for rule in written
                )
                rules = [rule for rule in said if rule.allowed | rule.denied]
            walk.append(explanation.Place(path, tuple(rules), tuple(n for n in range(len(self._layers)) if sealed >> n & 1)))
        return tuple(walk)

    def _entries(self, answer: abi.Explained) -> Iterator[tuple[int, ruleset.Entry]]:
        """Give the rules on an object, as the kernel has them there."""
        seen, plain = identity.names_of(bytes(answer.object))
        yield from self._rules.get(seen, ())
        if plain != seen:
            # The real inode's: what it denies holds here too, what it allows does not.
            for number, entry in self._rules.get(plain, ()):
                yield number, entry._replace(allowed=0)


def domain_names() -> set[str]:
    """Name the domains in force."""
    found = engine.find()
    if found is None:
        return set()
    with found as live:
        return {slot.name for slot in domain.slots(live)}


@contextlib.contextmanager
def of_domain(name: str) -> Iterator[Asker]:
    """Ask about what a domain has in force; NotFoundError where there is no such domain."""
    found = engine.find()
    if found is None:
        raise errors.NotFoundError(f"there is no domain {name}: the engine is not loaded; `run` and `attach` load it")
    with record.locked(), found as live:
        slot = naming.find(name, sweep.sweep(live))
        layers = change.recorded(live, slot).layers
        with explainer.Explainer(live.pins) as opened:
            yield Asker(opened, slot.ruleset, layers, live.ruleset(slot.ruleset).permissive)


@contextlib.contextmanager
def of_policies(policies: Sequence[policy.Policy]) -> Iterator[Asker]:
    """Ask about policies, each a layer, as they would be in force now; they are put into the kernel, in force nowhere."""
    with record.locked(), installation.load() as live, contextlib.ExitStack() as undo:
        slots = sweep.sweep(live)
        serial = record.new_serial()
        filesystems = undo.enter_context(ways.Filesystems())
        with live.identifier() as identifier:
            layers = resolution.resolve(policies, "", serial, identifier.identify, filesystems)
        made = record.Record(serial, domain.free_ruleset({slot.ruleset for slot in slots}), "", "", layers)
        # Without a domain: a sweep finds it by that, should we be killed.
        undo.callback(record.remove, serial)
        record.write(made)
        undo.callback(fsview.remove, live, made.index, made)
        fsview.install(live, made)
        opened = undo.enter_context(explainer.Explainer(live.pins))
        yield Asker(opened, made.index, layers, live.ruleset(made.index).permissive)


def _written(layer: int, entry: ruleset.Entry) -> explanation.Rule:
    allowed, denied = (Action(actions & action_table.EVERY) for actions in (entry.allowed, entry.denied))
    return explanation.Rule(layer, entry.path, allowed, denied, policy.Location(entry.file, entry.line), entry.commands)
