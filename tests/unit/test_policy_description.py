# SPDX-License-Identifier: GPL-2.0-only
"""Descriptions of policies: all that they say is told, and can be printed."""

from __future__ import annotations

import re
from pathlib import Path

import hypothesis
import pytest
from action_groups import NOTHING
from hypothesis import strategies as st

from landlock_bpf import policy, policy_actions, policy_description
from landlock_bpf.abi import Action


def test_describe(load, tmp_path: Path) -> None:
    loaded = load(
        """\
        default = "allow"
        [[path_beneath]]
        denied_access = ["write", "execute"]
        parent = ["/a"]
        [[path_beneath]]
        allowed_access = ["read", "make_dir", "truncate"]
        denied_access = ["execute"]
        parent = ["/a/b"]
        [[path_beneath]]
        allowed_access = ["read"]
        parent = ["/c"]
        """
    )
    file = tmp_path / "some.toml"
    assert policy_description.describe(loaded) == "\n".join(
        (
            f"policy some ({file})",
            "  handled     write, execute",
            "  left alone  read, read_metadata, write_metadata, chdir, access, lock, fcntl, ioctl, map_exec, chroot, receive, "
            "resolve_unix",
            "  default     allow: a handled action is allowed where no rule names it",
            "  withheld    mount, open_block, as by every policy: no rule names it",
            "  rules       3",
            f"    /a  deny write, execute  ({file}:4)",
            f"    /a/b  allow make_dir, truncate; deny execute  ({file}:8)",
            f"    /c  changes nothing  ({file}:11)",
        )
    )


def test_describe_tells_what_nothing_allows(load) -> None:
    """Who allows something in one place sees that it is denied everywhere else."""
    loaded = load('[[ruleset]]\nhandled_access_fs = ["read"]\n[[path_beneath]]\ndenied_access = ["read"]\nparent = ["/a"]')
    assert "\n  denied      read, refer, everywhere: no rule allows it\n" in policy_description.describe(loaded)
    assert "everywhere" not in policy_description.describe(policy.from_words(rwx=["/"], deny=["/a"]))
    assert "everywhere" not in policy_description.describe(policy.from_words(deny=["/a"]))
    left = policy_description.describe(policy.from_words(rwx=["/"], deny=["/a:chmod,read"]))
    assert "\n  allowed     chmod, where no rule denies it\n" in left


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('allowed_access = ["read"]', {"handled", "denied"}),
        ('allowed_access = ["read", "refer"]', {"handled"}),
        ('denied_access = ["read"]', {"left alone"}),
        ('denied_access = ["refer"]', {"handled", "allowed"}),
    ],
)
def test_moving_between_directories_is_told_as_it_is_enforced(load, text: str, told: set[str]) -> None:
    """Every policy handles REFER, named or not; who denies nothing by default does not deny it either."""
    loaded = load(f'[[path_beneath]]\n{text}\nparent = ["/a"]')
    lines = policy_description.describe(loaded).partition("\n  rules")[0].splitlines()
    assert {line[2:13].rstrip() for line in lines if {"refer", "write"} & set(re.findall(r"\w+", line))} == told
    assert bool(loaded.left_alone & Action.REFER) is ("left alone" in told)
    # resolution.py has the engine handle it always.
    assert bool(Action.REFER & ~loaded.default_allow) is not bool(told & {"allowed", "left alone"})


def test_what_must_be_named_is_left_alone_too(load) -> None:
    loaded = load('default = "allow"\n[[path_beneath]]\ndenied_access = ["all"]\nparent = ["/a"]')
    assert "\n  left alone  chdir, access\n" in policy_description.describe(loaded)


def test_describe_is_safe_to_print() -> None:
    text = policy_description.describe(policy.from_words(ro=["/a\x1b[31m", "/b\udcff"]))
    assert "/a\\x1b[31m  allow" in text
    assert "/b\\udcff  allow" in text
    text.encode()


@hypothesis.given(st.sets(st.sampled_from(list(Action))))
def test_summaries_lose_nothing(actions: set[Action]) -> None:
    mask = NOTHING
    for action in actions:
        mask |= action
    words = policy_actions.summary(mask)
    named = NOTHING
    for word in () if words == "nothing" else words.split(", "):
        named |= policy_actions.GROUPS.get(word, NOTHING) | policy_actions.NAMES.get(word, NOTHING)
    assert named == mask
