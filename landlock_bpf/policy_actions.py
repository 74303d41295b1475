# SPDX-License-Identifier: GPL-2.0-only
"""The words for actions in a policy: single actions under the kernel's names, and groups of them."""

from __future__ import annotations

from collections.abc import Iterable

from landlock_bpf import abi, action_table, ioctl_commands

# Upstream's newest: what came after ABI 9, which has resolve_unix, is on sockets (10) and on tracing (11).
NEWEST_ABI = 11


def rights_of(landlock_abi: int) -> abi.Action:
    """Collect the rights on files that an ABI of the landlock syscalls has."""
    rights = abi.Action(0)
    for row in action_table.ACTIONS:
        if row.landlock_abi is not None and row.landlock_abi <= landlock_abi:
            rights |= row.action
    return rights


LANDLOCK = rights_of(NEWEST_ABI)
# Landlock's 16 rights on what files hold and directories list.
CLASSIC = rights_of(5)
READ = abi.Action.READ_FILE | abi.Action.READ_DIR
# As upstream's library counts (rust-landlock, AccessFs::from_write): read, write and execute are all of the 16.
WRITE = CLASSIC & ~READ & ~abi.Action.EXECUTE

NAMES = {row.name: row.action for row in action_table.ACTIONS}
# `execute` needs no row: the action of that name is the whole group.
GROUPS = {
    "read": READ,
    "write": WRITE,
    "read_metadata": action_table.group("read_metadata"),
    "write_metadata": action_table.group("write_metadata"),
    "all": action_table.ALL,
}
# landlockconfig's groups, of which a file has what its ABI knows.
ABI_GROUPS = {
    "abi.all": LANDLOCK,
    "abi.read_execute": READ | abi.Action.EXECUTE | abi.Action.REFER,
    "abi.read_write": LANDLOCK & ~abi.Action.EXECUTE,
}
WORDS = (*ABI_GROUPS, *GROUPS, *NAMES)


def summary(actions: abi.Action) -> str:
    """Name the actions as a person would, by groups where a whole group is there."""
    words = []
    for word in ("all", "read", "write", "read_metadata", "write_metadata"):
        if actions & GROUPS[word] == GROUPS[word]:
            words.append(word)
            actions &= ~GROUPS[word]
    return ", ".join((*words, *action_table.names(actions))) or "nothing"


def listed(actions: abi.Action, commands: tuple[int, ...] = ()) -> str:
    """Name the actions one by one, ioctl with the commands that it is about, if it is not all."""
    words = list(action_table.names(actions))
    if commands and actions & abi.Action.IOCTL:
        words[words.index("ioctl")] = f"ioctl ({', '.join(ioctl_commands.names(commands))})"
    return ", ".join(words) or "nothing"


def suggestion(word: str, words: Iterable[str]) -> str:
    """Say which known word was probably meant, else list them all."""
    import difflib  # only for a file with an error in it: a third of this package's start-up time

    known = {each.lower(): each for each in words}
    close = difflib.get_close_matches(word.lower()[:80], known, n=1)
    return f"did you mean {known[close[0]]}?" if close else f"known are {', '.join(known.values())}"
