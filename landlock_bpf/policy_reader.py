# SPDX-License-Identifier: GPL-2.0-only
"""The meaning of a policy's words: action names to actions, templates to paths; every problem is collected, none is raised."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from landlock_bpf import (
    abi,
    errors,
    ioctl_commands,
    names,
    paths,
    policy_actions,
    policy_format,
    policy_source,
    policy_variables,
)
from landlock_bpf.policy_format import Leaf

# Rights of landlockconfig's that are none on files.
_ON_PORTS = ("bind_tcp", "connect_tcp")
_OLD_GROUP = re.compile(r"v(\d)\.(all|read_execute|read_write)")


class Words(NamedTuple):
    """What words for actions come to: all of them, those named singly, and those that a permission makes handled.

    The word `all` makes only Landlock's 16 rights handled: else who allows all would deny elsewhere what nothing else is about.
    """

    actions: abi.Action
    explicit: abi.Action
    handled: abi.Action


class Reader:
    """Reads the words of one file (or command line) and keeps the problems found on the way."""

    def __init__(self, file: str, user: policy_variables.User) -> None:
        self.file = file
        self.user = user
        self.problems: list[errors.Problem] = []

    def report(self, line: int, key: str, what: str, remedy: str) -> None:
        self.problems.append(errors.Problem(self.file, line, key, what, remedy))

    def wrong(self, leaf: Leaf, what: str, remedy: str) -> None:
        self.report(leaf.line, leaf.key, what, remedy)

    def actions(self, leaves: Iterable[Leaf], landlock_abi: int | None) -> Words:
        """Add up the actions that words stand for."""
        union = explicit = named = abi.Action(0)
        for leaf in leaves:
            word = str(leaf.value)
            if word in policy_actions.NAMES:
                explicit |= policy_actions.NAMES[word]
            elif word == "all":
                union |= policy_actions.GROUPS[word]
                named |= policy_actions.CLASSIC
            elif word in policy_actions.GROUPS:
                named |= policy_actions.GROUPS[word]
            elif word in policy_actions.ABI_GROUPS:
                named |= self._abi_group(leaf, word, landlock_abi)
            else:
                self._unknown(leaf, word)
        return Words(union | named | explicit, explicit, named | explicit)

    def _abi_group(self, leaf: Leaf, word: str, landlock_abi: int | None) -> abi.Action:
        if landlock_abi is None:
            self.wrong(
                leaf,
                f"{word} stands for nothing without the key abi",
                "add abi = 5, or write a group of ours: read, write, execute, all",
            )
            return abi.Action(0)
        if landlock_abi > policy_actions.NEWEST_ABI:
            remedy = f"write abi = {policy_actions.NEWEST_ABI}, or less"
            self.wrong(leaf, f"what {word} of Landlock ABI {landlock_abi} stands for is not known here", remedy)
            return abi.Action(0)
        return policy_actions.ABI_GROUPS[word] & policy_actions.rights_of(landlock_abi)

    def patterns(self, leaves: Iterable[Leaf]) -> tuple[str, ...]:
        """Take patterns of names, each once."""
        good = []
        for leaf in leaves:
            text = str(leaf.value)
            if flaw := names.flaw(text):
                self.wrong(leaf, f"{policy_source.quote(text)} {flaw}", names.REMEDY)
            else:
                good.append(text)
        return tuple(dict.fromkeys(good))

    def commands(self, leaves: Iterable[Leaf]) -> tuple[int, ...]:
        """Look the numbers of ioctl commands up; in ascending order, so that the order in a file does not matter."""
        found: set[int] = set()
        for leaf in leaves:
            if isinstance(leaf.value, int):
                if ioctl_commands.is_number(leaf.value):
                    found.add(leaf.value)
                else:
                    self.wrong(leaf, f"{policy_source.quote(leaf.value)} is no ioctl command", ioctl_commands.REMEDY)
            elif leaf.value in ioctl_commands.COMMANDS:
                found.update(ioctl_commands.COMMANDS[leaf.value])
            else:
                what = f"{policy_source.quote(leaf.value)} is not a command that is known by name"
                self.wrong(
                    leaf, what, f"write its number; {policy_actions.suggestion(str(leaf.value), ioctl_commands.COMMANDS)}"
                )
        return tuple(sorted(found))

    def _unknown(self, leaf: Leaf, word: str) -> None:
        what = f"{policy_source.quote(word)} is not an action"
        if word in _ON_PORTS:
            what, remedy = f"{policy_source.quote(word)} {policy_format.NETWORK}", policy_format.REMOVE
        elif old := _OLD_GROUP.fullmatch(word):
            remedy = f"write abi.{old[2]}, and abi = {old[1]} at the top"
        else:
            remedy = policy_actions.suggestion(word, policy_actions.WORDS)
        self.wrong(leaf, what, remedy)

    def paths(self, leaf: Leaf, literals: Mapping[str, list[str]]) -> list[str]:
        """Expand the variables of a path of a file; the first that comes of it and is not absolute is told."""
        try:
            found = policy_variables.expand(str(leaf.value), literals, self.user, abi.Limit.RULES)
        except policy_variables.VariableError as error:
            self.wrong(leaf, *error.args)
            return []
        # "." is how landlockconfig's own examples say "where I am"; any other relative path is more likely a mistake.
        found = [self.user.working_directory() or path if path == "." else paths.tidy(path) for path in found]
        return found if all(self._is_usable(leaf, path, _absolute(path)) for path in found) else []

    def anchored(self, leaf: Leaf) -> list[str]:
        """Take a path of the command line, which counts from the working directory if it is relative."""
        path = str(leaf.value)
        if not path:
            self.wrong(leaf, "'' is not a path", "write one, or leave it out")
            return []
        if not path.startswith("/"):
            path = os.path.join(self.user.working_directory(), path)
        return [paths.tidy(path)] if self._is_usable(leaf, path, "begin it with /: the working directory is gone") else []

    def _is_usable(self, leaf: Leaf, path: str, remedy: str) -> bool:
        if not path.startswith("/"):
            self.wrong(leaf, f"{policy_source.quote(path)} is not an absolute path", remedy)
        elif flaw := paths.flaw(path):
            self.wrong(leaf, f"{policy_source.quote(path)} {flaw[0]}", flaw[1])
        else:
            return True
        return False


def _absolute(path: str) -> str:
    if path == "~" or path.startswith("~/"):
        return f"write ${{HOME}}{policy_source.quote(path[1:])[1:-1]}"
    return "begin it with / or with a variable like ${HOME} or ${PWD}"
