# SPDX-License-Identifier: GPL-2.0-only
"""What `learn` writes: a policy that reads back, or the reviewed text with rules at its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from landlock_bpf import errors, policy, policy_actions
from landlock_bpf.abi import Action
from landlock_bpf.cli import layers, learn

OLD = """\
# reviewed
default = "deny"
[[variable]]
name = "place"
literal = ["/etc"]
[[path_beneath]]
allowed_access = ["read"]
parent = ["${place}/passwd"] # a comment
[[path_beneath]]
denied_access = ["all"]
parent = ["/etc/shadow"]
"""
BASE = policy.Policy("base", policy_actions.CLASSIC, "deny", (), "learn")


def rule(path: str, allowed: Action) -> policy.Rule:
    return policy.Rule(path, allowed, policy.NOTHING, policy.Location("learned", 1))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.toml"
    path.write_text(OLD)
    return path


def test_a_new_policy_reads_back(tmp_path: Path) -> None:
    rules = rule("/a", Action.READ_FILE), rule("/b$", policy_actions.READ), rule("/c", Action.MOUNT)
    text = learn.compose(["cmd", "a b"], rules, BASE, None)
    assert text.startswith("# Learned from: cmd 'a b'\n")
    learn._write(tmp_path / "new.toml", text, BASE, None)
    (made,) = layers.load([tmp_path / "new.toml"])
    assert [(each.path, each.allowed) for each in made.rules] == [(each.path, each.allowed) for each in rules]
    assert (made.default, made.handled) == ("deny", BASE.handled | Action.MOUNT)
    assert [path.name for path in tmp_path.iterdir()] == ["new.toml"]


def test_a_reviewed_text_stays(old: Path) -> None:
    (base,) = layers.load([old])
    assert learn.compose(["cmd"], (), base, old) == OLD
    text = learn.compose(["cmd"], (rule("/etc/group", Action.READ_FILE),), base, old)
    assert text.startswith(OLD) and text.endswith('[[path_beneath]]\nallowed_access = ["read_file"]\nparent = ["/etc/group"]\n')
    learn._write(old, text, base, None)
    (made,) = layers.load([old])
    assert made.rules[:-1] == base.rules


def test_what_would_rule_on_more_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "old.toml"
    path.write_text('[[path_beneath]]\nallowed_access = ["read_file"]\nparent = ["/etc"]\n')
    (base,) = layers.load([path])
    text = learn.compose(["cmd"], (rule("/tmp", Action.WRITE_FILE),), base, path)
    with pytest.raises(errors.Error, match="would change what"):
        learn._write(path, text, base, None)
    assert layers.load([path])[0].rules == base.rules
    assert [each.name for each in tmp_path.iterdir()] == ["old.toml"]
