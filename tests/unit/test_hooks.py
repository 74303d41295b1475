# SPDX-License-Identifier: GPL-2.0-only
"""The tables of actions and hooks."""

from __future__ import annotations

from landlock_bpf import abi, action_table, hooks, questions
from landlock_bpf.abi import Action


def test_every_action_has_one_row_in_the_order_of_the_bits() -> None:
    assert [row.action for row in action_table.ACTIONS] == list(Action)
    assert [row.name for row in action_table.ACTIONS] == [action.name.lower() for action in Action]


def test_every_action_needs_a_hook() -> None:
    for action in Action:
        assert any(row.actions & action for row in hooks.HOOKS), action


def test_every_hook_that_denies_has_a_number_and_the_reverse() -> None:
    numbered = {row.name: row.number for row in hooks.HOOKS if row.number is not None}
    numbered |= {row.hook: row.number for row in questions.ROWS}
    assert numbered == {hook.name.lower(): hook.value for hook in abi.Hook}
    assert not any(row.void for row in hooks.HOOKS if row.number is not None)


def test_hooks_are_needed_by_actions_and_by_what_a_domain_has() -> None:
    def names(handled: int, need: hooks.Need) -> set[str]:
        return {row.name for row in hooks.needed(handled, need)}

    assert names(0, hooks.Need(0)) == set()
    assert names(Action.MAKE_DIR, hooks.Need(0)) == {"path_mkdir", "path_rename"}
    assert {"cgroup_mkdir", "sb_delete"} <= names(0, hooks.Need.DOMAIN)
    assert "sb_mount" in names(action_table.WITHHELD, hooks.Need(0))
    assert names(0, hooks.Need.PROCESS) == {"task_alloc", "task_newtask"}
    making = {"path_mkdir", "path_mknod", "path_symlink", "path_link"}
    assert {"path_unlink", "path_rmdir", "path_rename"} | making <= names(0, hooks.Need.DENIAL | hooks.Need.DOMAIN)


def test_argument_lists_are_split_into_type_and_name() -> None:
    (row,) = (row for row in hooks.HOOKS if row.name == "path_mknod")
    assert row.args == (
        ("const struct path *", "dir"),
        ("struct dentry *", "dentry"),
        ("umode_t", "mode"),
        ("unsigned int", "dev"),
    )
    assert row.body == "on_path_mknod"


def test_classes_of_ioctl_commands_are_ioctl() -> None:
    for number in (0, abi.Limit.COMMAND_CLASSES - 1):
        assert action_table.plain(1 << abi.ActionBit.COMMANDS + number | 1) == Action.IOCTL | Action.EXECUTE
    assert action_table.plain(int(action_table.EVERY) | 1 << 63) == action_table.EVERY


def test_no_hook_asks_more_than_there_is_room_for() -> None:
    """The engine would write the next question over the first."""
    assert max(len(row.questions) for row in questions.ROWS) == abi.Limit.QUESTIONS
    assert 1 << abi.Limit.MARK_BITS > abi.Limit.DOMAINS
