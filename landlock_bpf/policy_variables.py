# SPDX-License-Identifier: GPL-2.0-only
"""Variables in the paths of a policy: ${HOME} and the like from the invoking user, others from the file."""

from __future__ import annotations

import functools
import itertools
import math
import os
import re
from collections.abc import Callable, Mapping

from landlock_bpf import invoker

# "$$" is a dollar, "${name}" a variable, any other dollar is itself: landlockconfig's rules.
_REFERENCE = re.compile(r"\$(?:(\$)|\{([^}]*)(\})?)")


class VariableError(Exception):
    """A path that cannot be expanded, with the reason and the remedy in its args."""


class User:
    """The person who gave the command.

    Under sudo that is the user sudo was called by, whose files the policy speaks of and as whom `run` runs the command:
    sudo's own HOME and USER, often root's, would put the rules on somebody else's files.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    @functools.cached_property
    def caller(self) -> invoker.Invoker | None:
        return invoker.find(self.environ)

    def home(self) -> str:
        return self.caller.home if self.caller else self.environ.get("HOME", "")

    def name(self) -> str:
        return self.caller.name if self.caller else self.environ.get("USER", "")

    def uid(self) -> str:
        return str(self.caller.uid if self.caller else os.getuid())

    def runtime_dir(self) -> str:
        return f"/run/user/{self.uid()}" if self.caller else self.environ.get("XDG_RUNTIME_DIR", "")

    def working_directory(self) -> str:
        try:
            return os.getcwd()  # the environment's PWD is whatever somebody set it to
        except OSError:
            return ""


# The built-in variables: a closed table, so that an environment cannot steer a policy that did not ask for it.
BUILT_IN: Mapping[str, Callable[[User], str]] = {
    "HOME": User.home,
    "USER": User.name,
    "UID": User.uid,
    "PWD": User.working_directory,
    "XDG_RUNTIME_DIR": User.runtime_dir,
}


def expand(template: str, literals: Mapping[str, list[str]], user: User, limit: int) -> list[str]:
    """Expand a path once for every combination of its variables' values; raises VariableError."""
    parts: list[list[str]] = []
    end = 0
    for found in _REFERENCE.finditer(template):
        parts.append([template[end : found.start()]])
        end = found.end()
        parts.append(["$"] if found[1] else _values(found, literals, user))
    parts.append([template[end:]])
    count = math.prod(len(values) for values in parts)
    if count > limit:
        raise VariableError(f"its variables make {count} paths of it", f"{limit} rules are allowed in all")
    return ["".join(words) for words in itertools.product(*parts)]


def _values(found: re.Match[str], literals: Mapping[str, list[str]], user: User) -> list[str]:
    name = found[2]
    if not found[3]:
        raise VariableError("${ has no }", "close it, or write $${ for the characters themselves")
    if name in literals:
        # Sorted and each value once, as in landlockconfig, so that the order of a file's tables does not matter.
        return sorted(set(literals[name]))
    if name not in BUILT_IN:
        known = ", ".join(sorted({*literals, *BUILT_IN}))
        raise VariableError(f"there is no variable {name[:80]!r}", f"add a [[variable]] of that name; known are {known}")
    value = BUILT_IN[name](user)
    if not value:
        raise VariableError(f"{name} is not set", f"set {name} in the environment, or give it in a [[variable]]")
    return [value]
