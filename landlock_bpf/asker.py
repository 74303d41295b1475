# SPDX-License-Identifier: GPL-2.0-only
"""The asker: why a ruleset, in force or made for the question, allows or denies an access.

The engine decides, by the walk of every access: it is asked for the object, and for each place above it. This adds where the
rules were written, and what rules on names say of what is not there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from landlock_bpf import (
    abi,
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
    names,
    policy,
    record,
    resolution,
    ruleset,
    sweep,
    ways,
)
from landlock_bpf.abi import Action

NOTHING = Action(0)
# What is asked of a symbolic link itself, not of where it leads.
_OF_LINK = hooks.OF_PARENT | Action.READLINK
MOVES = ("rename", "link")
# Before a command by its name or number: what is asked of ioctl(2) with it.
IOCTL = "ioctl:"
_EVERYTHING = (1 << 64) - 1
_ALL_LAYERS = (1 << abi.Limit.LAYERS) - 1
_MAKING = {
    stat.S_IFREG: Action.MAKE_REG,
    stat.S_IFDIR: Action.MAKE_DIR,
    stat.S_IFLNK: Action.MAKE_SYM,
    stat.S_IFCHR: Action.MAKE_CHAR,
    stat.S_IFBLK: Action.MAKE_BLOCK,
    stat.S_IFIFO: Action.MAKE_FIFO,
    stat.S_IFSOCK: Action.MAKE_SOCK,
}


# What the engine says of open places, by their descriptors.
Told = dict[int, abi.Explained]


class _Asked(NamedTuple):
    """What is asked of an object: an action of policies, and its bits as the engine has them.

    Without `commands`, ioctl is asked for all that no rule names; several are such that no rule tells apart.
    """

    action: Action
    mask: int
    commands: tuple[int, ...] = ()

    def of(self, said: Action | int, commands: tuple[int, ...]) -> int:
        """Give of what a rule about `commands`, or all, says that which is asked."""
        return ruleset.speaks(said, commands, self.commands[0] if self.commands else None) & self.action


class Asker:
    """What asks the engine about one ruleset, whose layers are known."""

    def __init__(self, live: explainer.Explainer, index: int, layers: Sequence[ruleset.Layer], permissive: int) -> None:
        self._live = live
        self._index = index
        self._layers = layers
        self._permissive = permissive
        self._rules: dict[bytes, list[tuple[int, ruleset.Entry]]] = {}
        for number, layer in enumerate(layers):
            for entry in layer.entries:
                self._rules.setdefault(entry.object, []).append((number, entry))

    def answer(self, word: str, path: str, path2: str = "") -> explanation.Answer:
        """Answer for an action by its name, IOCTL and a command, or a move; OSError where a path cannot be looked at."""
        if word in MOVES:
            questions = tuple(self._move(word, path, path2))
            return explanation.Answer(word, path, path2, all(each.allowed for each in questions), False, questions)
        missing = not os.path.lexists(path)
        if word.startswith(IOCTL):
            questions = tuple(self._commands(ioctl_commands.numbers(word[len(IOCTL) :]), path))
            return explanation.Answer(word, path, "", all(each.allowed for each in questions), missing, questions)
        action = Action[word.upper()]
        if action == Action.REFER and path2:
            questions = (*self._ask(action, path), *self._ask(action, path2), *self._gain(path, path2))
            return explanation.Answer(word, path, path2, all(each.allowed for each in questions), False, questions)
        questions = tuple(self._ask(action, path))
        return explanation.Answer(word, path, "", all(each.allowed for each in questions), missing, questions)

    def _ask(self, action: Action, path: str) -> Iterator[explanation.Question]:
        if action & (hooks.REMOVING | hooks.MAKING):
            yield from self._seal(path, action)
        with ascent.Ascent(path, follow=not action & _OF_LINK, parent=bool(action & hooks.OF_PARENT)) as places:
            yield self._question(_Asked(action, int(action)), places)
            for mask, commands in self._classes() if action == Action.IOCTL else ():
                yield self._question(_Asked(action, mask, commands), places)

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
                for row in hooks.ACTIONS:
                    if row.action & hooks.plain(mask):
                        own = mask & ~int(hooks.EVERY & ~Action.IOCTL) if row.action == Action.IOCTL else int(row.action)
                        yield self._question(_Asked(row.action, own, same), places)

    def _seal(self, path: str, making: Action = NOTHING) -> Iterator[explanation.Question]:
        """Ask whether something may be removed or replaced, or made where it is missing."""
        with ascent.Ascent(path, follow=False) as places:
            told = self._live.ask(self._index, places.fds, 0)
            whole = places.target
            if places.names:
                found = self._sealed_names(places, told, making)
            else:
                found = self._sealed(told[places.object], places, told) if places.object in told else {}
            if found:
                verdicts = tuple(
                    self._verdict(
                        number, layer, number not in found, "sealed" if number in found else "allowed", found.get(number)
                    )
                    for number, layer in enumerate(self._layers)
                )
                yield explanation.Question("seal", whole, verdicts, self._walk(None, places, told))

    def _sealed(self, answer: abi.Explained, places: ascent.Ascent, told: Told) -> dict[int, explanation.Rule | None]:
        """Give the layers in which the engine says that something is sealed, each with a rule that does it."""
        found: dict[int, explanation.Rule | None] = {}
        for number, layer in enumerate(self._layers):
            if answer.sealed >> number & 1:
                entries = (entry for other, entry in self._entries(answer) if other == number and entry.sealed)
                rules = (_written(number, entry) for entry in entries)
                found[number] = next(rules, None) or next((rule for rule, _ in self._named(number, layer, places, told)), None)
        return found

    def _sealed_names(self, places: ascent.Ascent, told: Told, making: Action) -> dict[int, explanation.Rule | None]:
        """Give the layers in which a missing name may not be made: a denied one or, but as a directory, one on its way."""
        found: dict[int, explanation.Rule | None] = {}
        for number, layer in enumerate(self._layers):
            for rule, last in self._named(number, layer, places, told):
                if last and (rule.denied or making != Action.MAKE_DIR):
                    found.setdefault(number, rule)
        return found

    def _named(
        self, number: int, layer: ruleset.Layer, places: ascent.Ascent, told: Told
    ) -> Iterator[tuple[explanation.Rule, bool]]:
        """Give the rules on names that the path, or one above it, has; and whether it is its last name that they speak of."""
        beneath = {}
        for fd, path in places.paths():
            if fd in told:
                parts = [os.fsencode(part) for part in places.target[len(path) :].split("/") if part]
                beneath.update(dict.fromkeys(identity.names_of(bytes(told[fd].object)), parts))
        for name in layer.names:
            parts = beneath.get(name.parent, [])
            for made, _, _ in names.prefixes(parts[: int(abi.Limit.MISSING)]):
                if made == name.hash:
                    last = made == [*names.prefixes(parts)][-1][0] if len(parts) <= abi.Limit.MISSING else False
                    where = policy.Location(name.file, name.line)
                    denied = Action(name.denied & hooks.EVERY)
                    yield explanation.Rule(number, name.path, NOTHING, denied, where, name.commands), last
        for tree in layer.trees:
            parts = beneath.get(tree.object, [])
            pattern = layer.patterns[tree.pattern]
            matcher = names.pattern(pattern.text)
            if any(map(matcher.matches, parts)):
                yield _patterned(number, tree, pattern), matcher.matches(parts[-1])

    def _move(self, word: str, path: str, path2: str) -> Iterator[explanation.Question]:
        """Ask all that a rename or link is asked, in no particular order: all must be allowed."""
        mode = os.lstat(path).st_mode
        kind = stat.S_IFMT(mode)
        directory = os.path.dirname(os.path.abspath(path.rstrip("/")))
        directory2 = os.path.dirname(os.path.abspath(path2.rstrip("/")))
        if word == "rename":
            yield from self._ask(Action.REMOVE_DIR if stat.S_ISDIR(mode) else Action.REMOVE_FILE, path)
            with contextlib.suppress(FileNotFoundError):
                replaced = os.lstat(path2).st_mode
                yield from self._ask(Action.REMOVE_DIR if stat.S_ISDIR(replaced) else Action.REMOVE_FILE, path2)
        yield from self._ask(_MAKING[kind], path2)
        if not os.path.samefile(directory, directory2):
            yield from self._ask(Action.REFER, path)
            yield from self._ask(Action.REFER, path2)
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
                trees = self._live.ask(self._index, [old.object, target], _EVERYTHING)
                leaves = stat.S_ISDIR(places.mode) and trees[old.object].trees & ~trees[target].trees
                verdicts = []
                first = 0  # patterns are numbered layer after layer
                for number, layer in enumerate(self._layers):
                    left = any(each.denied and leaves >> first + place & 1 for place, each in enumerate(layer.patterns))
                    first += len(layer.patterns)
                    words = {"skip": ~(1 << number) & _ALL_LAYERS, "source": places.object, "target": target}
                    gains = self._live.ask(self._index, [target], _EVERYTHING, **words)[target].gains
                    refused = bool(gains) or left
                    verdicts.append(self._verdict(number, layer, not refused, "refer" if refused else "allowed", None))
            finally:
                os.close(target)
            if not all(verdict.allowed for verdict in verdicts):
                yield explanation.Question("gain", places.target, tuple(verdicts), ())

    def _question(self, asked: _Asked, places: ascent.Ascent) -> explanation.Question:
        told = self._live.ask(self._index, places.fds, asked.mask)
        verdicts = tuple(self._decided(asked, places, told)) if places.object in told else ()
        name, walk = (asked.action.name or "").lower(), self._walk(asked, places, told)
        return explanation.Question(name, places.target, verdicts, walk, asked.commands)

    def _decided(self, asked: _Asked, places: ascent.Ascent, told: Told) -> Iterator[explanation.Verdict]:
        for number, layer in enumerate(self._layers):
            # Rules on names speak of what is missing, too.
            named = (rule for rule, _ in self._named(number, layer, places, told) if asked.of(rule.denied, rule.commands))
            rule = next(named, None) if places.names else None
            if layer.programs or not layer.handled & asked.action:
                yield self._verdict(number, layer, True, "programs" if layer.programs else "unhandled", None)
            elif rule:
                yield self._verdict(number, layer, False, "named", rule)
            elif told[places.object].refused[number] & asked.mask:
                yield self._denied(number, layer, asked, places)
            else:
                yield self._allowed(number, layer, asked, places, told)

    def _denied(self, number: int, layer: ruleset.Layer, asked: _Asked, places: ascent.Ascent) -> explanation.Verdict:
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
            rules = (rule for rule, _ in self._named(number, layer, places, told) if asked.of(rule.denied, rule.commands))
        return self._verdict(number, layer, False, reason.name.lower(), next(rules, None))

    def _allowed(
        self, number: int, layer: ruleset.Layer, asked: _Asked, places: ascent.Ascent, told: Told
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

    def _walk(self, asked: _Asked | None, places: ascent.Ascent, told: Told) -> tuple[explanation.Place, ...]:
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
                    written += [_patterned(number, tree, layer.patterns[tree.pattern]) for tree in trees]
                said = (rule.about(Action(asked.of(hooks.EVERY, rule.commands)) if asked else hooks.EVERY) for rule in written)
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
        slot = next((slot for slot in sweep.sweep(live) if slot.name == name), None)
        if slot is None:
            raise errors.NotFoundError(f"there is no domain {name}; `landlock-bpf list` names those in force")
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
    allowed, denied = (Action(actions & hooks.EVERY) for actions in (entry.allowed, entry.denied))
    return explanation.Rule(layer, entry.path, allowed, denied, policy.Location(entry.file, entry.line), entry.commands)


def _patterned(layer: int, tree: ruleset.Tree, pattern: ruleset.Pattern) -> explanation.Rule:
    denied = Action(pattern.denied & hooks.EVERY)
    where = policy.Location(pattern.file, pattern.line)
    return explanation.Rule(layer, tree.shown(pattern), NOTHING, denied, where, pattern.commands)
