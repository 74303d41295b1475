# SPDX-License-Identifier: GPL-2.0-only
"""Policies: what a file, or the words of a command line, say is allowed and denied; pure values, the same on every machine.

Whether a path exists, and whether an action makes sense on it, is asked when a ruleset is made of the policy.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, cast

from landlock_bpf import (
    abi,
    action_table,
    errors,
    ioctl_commands,
    names,
    paths,
    policy_actions,
    policy_format,
    policy_reader,
    policy_source,
    policy_variables,
)
from landlock_bpf.policy_format import Leaf, Table

COMMAND_LINE = "command line"
NOTHING = abi.Action(0)
# The options of landrun, and what each allows.
LANDRUN: Mapping[str, abi.Action] = {
    "--ro": policy_actions.READ,
    "--rox": policy_actions.READ | abi.Action.EXECUTE,
    "--rw": policy_actions.READ | policy_actions.WRITE,
    "--rwx": policy_actions.CLASSIC,
}


@dataclasses.dataclass(frozen=True)
class Location:
    """Where a rule was written; on the command line, `line` counts the rules."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Inode(NamedTuple):
    """The numbers by which stat(2) knows an object, as long as there is one."""

    device: int
    number: int

    @classmethod
    def of(cls, status: os.stat_result) -> Inode:
        """Take them from all that it tells."""
        return cls(status.st_dev, status.st_ino)


@dataclasses.dataclass(frozen=True)
class Rule:
    """What is allowed and denied on one path, and beneath it if it is a directory.

    `explicit` holds the actions named singly, not through a group: one that makes no sense on a file is a mistake there,
    while a group's is merely left out. With `names`, patterns of names.py, it is about what has such a name beneath the path,
    at any depth, and only denies. With `commands` the action ioctl is about these commands alone. `key` is that of its path,
    or the option, for messages. With `inode` it is on that object alone, wherever the path leads.
    """

    path: str
    allowed: abi.Action
    denied: abi.Action
    location: Location
    explicit: abi.Action = NOTHING
    names: tuple[str, ...] = ()
    commands: tuple[int, ...] = ()
    key: str = dataclasses.field(default="", compare=False)
    inode: Inode | None = None

    def problem(self, what: str, remedy: str) -> errors.Problem:
        """Say what is wrong with it, at its place."""
        return errors.Problem(self.location.file, self.location.line, self.key, what, remedy)


@dataclasses.dataclass(frozen=True)
class Policy:
    """Rules over the handled actions; others are left alone, but for those that every policy handles: see `left_alone`.

    `default` ("deny" or "allow") holds where no rule decides.
    Under "deny", `left` are handled actions that are allowed there all the same: those that are only ever denied. What a
    `permissive` policy would deny is reported alone. Raises PolicyError if the parts do not fit together; `source` is the
    file, for messages.
    """

    name: str
    handled: abi.Action
    default: str
    rules: tuple[Rule, ...]
    source: str
    left: abi.Action = NOTHING
    permissive: bool = False

    def __post_init__(self) -> None:
        if problems := tuple(_misfits(self.handled, self.default, self.rules, self.source)):
            raise errors.PolicyError(problems)

    @property
    def default_allow(self) -> abi.Action:
        """Collect what is allowed where no rule decides; REFER, which every policy handles, only if nothing is denied there."""
        left = self.handled if self.default == "allow" else self.left
        if not self.handled & ~left & ~action_table.WITHHELD:
            left |= abi.Action.REFER
        return left & ~action_table.WITHHELD

    @property
    def left_alone(self) -> abi.Action:
        """Collect what it does not rule on: REFER only where that is allowed by default, and not handled by name."""
        always = action_table.WITHHELD | abi.Action.REFER & ~self.default_allow
        return action_table.EVERY & ~(self.handled | always)


class UnfitError(errors.PolicyError):
    """A policy is none as it is written; `rest` is that of its rules that could be read, if any: to look their paths up."""

    def __init__(self, problems: Iterable[errors.Problem], rules: Sequence[Rule], source: str) -> None:
        super().__init__(sorted(problems, key=lambda problem: problem.line))
        kept = tuple(rule for rule in rules[: abi.Limit.RULES] if rule.allowed | rule.denied and not any(_flaws(rule)))
        handled = _union(rule.allowed | rule.denied for rule in kept)
        self.rest = Policy(Path(source).stem, handled, "deny", kept, source) if kept else None


def load(path: str | os.PathLike[str], environ: Mapping[str, str] | None = None) -> tuple[Policy, ...]:
    """Read a policy in any of the forms of policy_forms.py, the one named env: from `environ`, or else ours.

    Raises PolicyError with every problem of the file (a syntax error hides the others), UnfitError where rules could be read.
    """
    from landlock_bpf import policy_forms  # its readers make policies

    return (policy_forms.load(Path(path), os.environ if environ is None else environ),)


def from_source(source: policy_source.Source, environ: Mapping[str, str]) -> Policy:
    """Read our own form, TOML or JSON; its variables like ${HOME} come from `environ` and the invoking user.

    One file is one policy: as in landlockconfig, its [[ruleset]] tables add up. What is handled: what the rulesets and
    rules name; Landlock's 16 rights too, if the file says default = "deny" and has no ruleset; only what is denied, beside
    the rulesets, under "allow". What is denied only, in rules, is left where no rule decides. Raises PolicyError with every
    problem of the file, and Error where sudo's variables name no user.
    """
    reader = policy_reader.Reader(source.file, policy_variables.User(environ))
    document = policy_format.check(source, reader.report)
    landlock_abi = None
    if "abi" in source.values:
        leaf = document.get("abi")  # missing if it was wrong, which is reported: once is enough
        landlock_abi = cast(int, leaf.value) if isinstance(leaf, Leaf) else policy_actions.NEWEST_ABI
    ruled = NOTHING
    for table in _tables(document, "ruleset"):
        ruled |= reader.actions(_leaves(table, "handled_access_fs"), landlock_abi).actions
    default = _text(document, "default")
    if default == "deny" and "ruleset" not in document:
        ruled |= policy_actions.CLASSIC
    rules = []
    # What is too much is not all worked out: variables multiply.
    for rule, permitted in itertools.islice(_rules(reader, document, landlock_abi), abi.Limit.RULES + 1):
        # Under "allow", a permission for what nothing denies changes nothing: its hooks stay unattached.
        ruled |= permitted & (action_table.WITHHELD if default == "allow" else action_table.EVERY)
        rules.append(rule)
    handled = ruled | _union(rule.denied for rule in rules)
    kept = tuple(dataclasses.replace(rule, allowed=rule.allowed & handled) for rule in rules)
    if problems := reader.problems:
        # What is handled is not known, nor all that these tables say.
        broken = {_table_of(problem.key) for problem in problems}
        whole = (rule for rule in kept if _table_of(rule.key) not in broken)
        problems += itertools.chain(_excess(kept, source.file), *map(_flaws, whole))
        raise UnfitError(problems, rules, source.file)
    if problems := list(_misfits(handled, default or "deny", kept, source.file)):
        raise UnfitError(problems, kept, source.file)
    name, permissive = _text(document, "name") or Path(source.file).stem, _text(document, "mode") == "permissive"
    left = NOTHING if default == "allow" else handled & ~ruled
    return Policy(name, handled, default or "deny", kept, source.file, left, permissive)


def from_words(
    ro: Sequence[str] = (),
    rox: Sequence[str] = (),
    rw: Sequence[str] = (),
    rwx: Sequence[str] = (),
    deny: Sequence[str] = (),
    allow: Sequence[str] = (),
) -> Policy:
    """Make a policy of landrun's options, with its sets of actions, and of --deny and --allow PATH[:ACTION,ACTION]
    (default: all).

    As in landrun a value may be several paths with commas between, a relative path counts from the working directory, and
    Landlock's 16 rights are handled. With denials only, everything else is allowed, since nothing could run otherwise. What
    follows the last colon of these two is their actions unless it has a slash. Raises PolicyError with every problem.
    """
    reader = policy_reader.Reader(COMMAND_LINE, policy_variables.User({}))
    given = zip(LANDRUN.items(), (ro, rox, rw, rwx))
    words = [
        (option, path, allowed, "") for (option, allowed), values in given for value in values for path in value.split(",")
    ]
    words += [(option, *_split(value)) for option, values in (("--deny", deny), ("--allow", allow)) for value in values]
    rules = []
    for line, (option, path, allowed, actions) in enumerate(words, 1):
        denied = explicit = NOTHING
        if option not in LANDRUN:
            named, explicit, _ = reader.actions((Leaf(word, line, option) for word in actions.split(",")), None)
            allowed, denied = (named, NOTHING) if option == "--allow" else (NOTHING, named)
        for usable in reader.anchored(Leaf(path, line, option)):
            rules.append(Rule(usable, allowed, denied, Location(COMMAND_LINE, line), explicit, key=option))
    if reader.problems:
        raise errors.PolicyError(reader.problems)
    denied = _union(rule.denied for rule in rules)
    if deny and not any((ro, rox, rw, rwx, allow)):
        return Policy(COMMAND_LINE, denied, "allow", tuple(rules), COMMAND_LINE)
    allowable = policy_actions.CLASSIC | _union(rule.allowed for rule in rules)
    return Policy(COMMAND_LINE, allowable | denied, "deny", tuple(rules), COMMAND_LINE, denied & ~allowable)


def _rules(reader: policy_reader.Reader, document: Table, landlock_abi: int | None) -> Iterator[tuple[Rule, abi.Action]]:
    """Give the rules, each with the actions that it makes handled by permitting them."""
    literals: dict[str, list[str]] = {}
    for table in _tables(document, "variable"):
        if name := _text(table, "name"):
            literals.setdefault(name, []).extend(str(leaf.value) for leaf in _leaves(table, "literal"))
    for table in _tables(document, "path_beneath"):
        allowed = reader.actions(_leaves(table, "allowed_access"), landlock_abi)
        denied = reader.actions(_leaves(table, "denied_access"), landlock_abi)
        patterns = reader.patterns(_leaves(table, "name"))
        commands = reader.commands(_leaves(table, "ioctl_commands"))
        if both := allowed.actions & denied.actions:
            leaf = _leaves(table, "denied_access")[0]
            what = f"{policy_actions.summary(both)} is allowed and denied in one rule"
            reader.report(
                leaf.line, leaf.key.rpartition("[")[0], what, "name each action once; for a narrower denial write a second rule"
            )
        explicit = allowed.explicit | denied.explicit
        seen = set()
        for leaf in _leaves(table, "parent"):
            found = len(reader.problems)
            paths = reader.paths(leaf, literals)
            if not paths and denied.actions and len(reader.problems) == found:
                reader.wrong(leaf, "stands for no path, so nothing would be denied", "give its variables a literal")
            for path in paths:
                if path not in seen:
                    seen.add(path)
                    place = Location(reader.file, leaf.line)
                    made = Rule(path, allowed.actions, denied.actions, place, explicit, patterns, commands, leaf.key)
                    yield made, allowed.handled


def _misfits(handled: abi.Action, default: str, rules: Sequence[Rule], source: str) -> Iterator[errors.Problem]:
    """Find what makes the parts of a policy no policy."""
    if default not in ("deny", "allow"):
        yield errors.Problem(source, 0, "default", f"{default!r} is neither deny nor allow", "write one of them")
    if excess := tuple(_excess(rules, source)):
        yield from excess
        return  # these may not be all the rules, so what they handle is not known
    if not handled:
        remedy = "deny something" if default == "allow" else 'add a rule, a ruleset, or default = "deny"'
        yield errors.Problem(source, 0, "", "handles no action, so it would enforce nothing", remedy)
    if bits := unknown(handled):
        yield errors.Problem(source, 0, "handled", f"{bits:#x} is no action", "leave it out")
    for rule in rules:
        yield from _flaws(rule)
        if paths.flaw(rule.path):
            continue  # what else is said of it names it
        if stray := (rule.allowed | rule.denied) & ~handled:
            what = f"the rule on {rule.path} names {policy_actions.summary(stray)}, which the policy does not handle"
            yield rule.problem(what, "add it to the handled actions")


def _excess(rules: Sequence[Rule], source: str) -> Iterator[errors.Problem]:
    if len(rules) > abi.Limit.RULES:
        what = f"has more rules than the {int(abi.Limit.RULES)} of a policy"
        yield errors.Problem(source, 0, "", what, "put one rule on a directory instead of many below it")


def _flaws(rule: Rule) -> Iterator[errors.Problem]:
    """Find what is wrong with a rule, whatever policy it is in."""
    if not rule.path.startswith("/"):
        yield rule.problem(f"{policy_source.quote(rule.path)} is not an absolute path", "begin it with /")
    elif flaw := paths.flaw(rule.path):
        yield rule.problem(f"{policy_source.quote(rule.path)} {flaw[0]}", flaw[1])
        return  # what else is said of it names it
    if bits := unknown(rule.allowed | rule.denied):
        yield rule.problem(f"{bits:#x} is no action", "leave it out")
    for pattern in rule.names:
        if wrong := names.flaw(pattern):
            yield rule.problem(f"{policy_source.quote(pattern)} {wrong}", names.REMEDY)
    for command in rule.commands:
        if not ioctl_commands.is_number(command):
            yield rule.problem(f"{policy_source.quote(command)} is no ioctl command", ioctl_commands.REMEDY)
    if rule.names and rule.allowed:
        what = f"the rule on {rule.path} allows by name, and names only deny"
        yield rule.problem(what, "leave out name, or allow the directory")
    if rule.commands and not (rule.allowed | rule.denied) & abi.Action.IOCTL:
        what = f"the rule on {rule.path} has ioctl commands, and neither allows nor denies ioctl"
        yield rule.problem(what, "add the action ioctl")


def _table_of(key: str) -> str:
    """Name the table that a key is in: path_beneath[0] of path_beneath[0].parent[1]."""
    return key.partition(".")[0]


def unknown(mask: int) -> int:
    """Give the bits that are no action: as a flag, the complement of all has none of them."""
    return int(mask) & ~int(action_table.EVERY)


def _split(value: str) -> tuple[str, abi.Action, str]:
    path, colon, actions = value.rpartition(":")
    if not colon or "/" in actions:
        path, actions = value, "all"
    return path, NOTHING, actions


def _union(masks: Iterable[abi.Action]) -> abi.Action:
    union = NOTHING
    for mask in masks:
        union |= mask
    return union


def _tables(table: Table, key: str) -> list[Table]:
    return cast("list[Table]", table.get(key, []))


def _leaves(table: Table, key: str) -> list[Leaf]:
    return cast("list[Leaf]", table.get(key, []))


def _text(table: Table, key: str) -> str:
    leaf = table.get(key)
    return str(leaf.value) if isinstance(leaf, Leaf) else ""
