# SPDX-License-Identifier: GPL-2.0-only
"""Accesses: what is asked of an object, and the actions that making and removing it take."""

from __future__ import annotations

import stat
from typing import NamedTuple

from landlock_bpf import action_table, ruleset
from landlock_bpf.abi import Action

# What is asked of a symbolic link itself, not of where it leads.
LINK = action_table.OF_PARENT | Action.READLINK
_MAKING = {
    stat.S_IFREG: Action.MAKE_REG,
    stat.S_IFDIR: Action.MAKE_DIR,
    stat.S_IFLNK: Action.MAKE_SYM,
    stat.S_IFCHR: Action.MAKE_CHAR,
    stat.S_IFBLK: Action.MAKE_BLOCK,
    stat.S_IFIFO: Action.MAKE_FIFO,
    stat.S_IFSOCK: Action.MAKE_SOCK,
}


class Asked(NamedTuple):
    """What is asked of an object: an action of policies, and its bits as the engine has them.

    Without `commands`, ioctl is asked for all that no rule names; several are such that no rule tells apart.
    """

    action: Action
    mask: int
    commands: tuple[int, ...] = ()

    def of(self, said: Action | int, commands: tuple[int, ...]) -> int:
        """Give of what a rule about `commands`, or all, says that which is asked."""
        return ruleset.speaks(said, commands, self.commands[0] if self.commands else None) & self.action


def is_of_link(word: str) -> bool:
    """Whether what a word asks is asked of a symbolic link itself."""
    found = Action.__members__.get(word.upper())
    return found is not None and bool(found & LINK)


def making(mode: int) -> Action:
    return _MAKING[stat.S_IFMT(mode)]


def removing(mode: int) -> Action:
    return Action.REMOVE_DIR if stat.S_ISDIR(mode) else Action.REMOVE_FILE
