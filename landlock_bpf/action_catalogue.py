# SPDX-License-Identifier: GPL-2.0-only
"""The catalogue of actions, docs/ACTIONS.md, made of the tables; see catalogue.py."""

from __future__ import annotations

from collections.abc import Iterator

from landlock_bpf import abi, action_table, hooks, ioctl_commands, policy_actions

HEAD = """\
# Actions

Generated from `landlock_bpf/action_table.py` and `landlock_bpf/hooks.py` by `python -m landlock_bpf.catalogue`: do not edit.

What a policy can allow and deny. The last column is the first ABI of the landlock system calls that has the right, with
upstream's name and meaning; "none" is ours alone. A hook in brackets is asked where the kernel has it, on newer ones than
6.12; else the one beside it answers for it. All hooks of an action are attached while a live domain handles it, and no longer.

"""
_ON = {"file": "the file", "dir": "the directory", "both": "either"}
_SINGLY = """\

Whoever handles `chdir` or `access` pays for it at each component of each path, as do all others on the machine: they exist
only in the hook `inode_permission`. They are to be named, and so are `mount` and `open_block`; no group has any of these.

`mount` and `open_block` are withheld: every policy handles them, whatever else it says, and only a rule that names them allows
them. A rule on a block device itself that allows `read_file` or `write_file` allows `open_block` of it too.

Every policy handles `refer`, whatever else it says: where it denies anything by default, only a rule that allows `refer` lets a
file be linked or moved to another directory. Where it denies nothing by default, `refer` is allowed there too.

An action that a policy names only in `denied_access` is allowed where no rule decides.
"""


def generate() -> str:
    """Give the text of docs/ACTIONS.md."""
    parts = [HEAD, _table(("action", "what it is", "asked of", "hooks", "errno", "Landlock ABI"), _actions())]
    parts += ["\n", _SINGLY, "\n## Groups\n\n", _table(("group", "actions"), _groups())]
    parts += ["\n\n## ioctl commands known by name\n\nAny other is named by its number.\n\n", _commands(), "\n"]
    return "".join(parts)


def asked(action: abi.Action) -> Iterator[hooks.HookRow]:
    """Give the hooks that can deny an action."""
    return (row for row in hooks.HOOKS if row.actions & action and not row.void)


def _actions() -> Iterator[tuple[str, ...]]:
    for row in action_table.ACTIONS:
        names = ", ".join(f"(`{hook.name}`)" if hook.optional else f"`{hook.name}`" for hook in asked(row.action))
        newest = str(row.landlock_abi or "none")
        yield f"`{row.name}`", row.doc, _ON[row.on], names, row.error, newest


def _groups() -> Iterator[tuple[str, ...]]:
    for word, actions in (*policy_actions.GROUPS.items(), *policy_actions.ABI_GROUPS.items()):
        told = ", ".join(f"`{name}`" for name in action_table.names(actions))
        if word == "all":
            told = "all above but those that are to be named"
        elif word == "abi.all":
            told = f"all that the file's `abi` has, of those that Landlock has: at most {told}"
        elif word == "abi.read_write":
            told = "`abi.all` without `execute`"
        elif word == "abi.read_execute":
            told = f"of the file's `abi`: {told}"
        yield f"`{word}`", told


def _commands() -> str:
    told = []
    for name, numbers in ioctl_commands.COMMANDS.items():
        told.append(f"`{name}` ({', '.join(f'{number:#x}' for number in numbers)})")
    return ", ".join(told) + "."


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
