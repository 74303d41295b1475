# SPDX-License-Identifier: GPL-2.0-only
"""What a policy file comes to mean."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from action_groups import ABI_1, ABI_2, ABI_3, ABI_5, ABI_9, METADATA_READ, METADATA_WRITE, NOTHING, READ

from landlock_bpf import abi, action_table, errors, policy, policy_description, policy_format, policy_reader
from landlock_bpf.abi import Action

POLICIES = Path(policy.__file__).parent.parent / "policies"


def test_a_whole_file(load, tmp_path: Path) -> None:
    loaded = load(
        """\
        name = "demo"
        default = "deny"

        [[path_beneath]]
        allowed_access = ["read", "make_reg"]
        parent = [
            "${HOME}",
            "/usr",
        ]
        [[path_beneath]]
        allowed_access = ["write_file"]
        denied_access = ["read", "truncate"]
        parent = ["${HOME}/.ssh"]
        """
    )
    file = str(tmp_path / "some.toml")
    first, second = READ | Action.MAKE_REG, Action.MAKE_REG
    assert loaded == policy.Policy(
        "demo",
        ABI_5,
        "deny",
        (
            policy.Rule("/home/u", first, NOTHING, policy.Location(file, 7), second),
            policy.Rule("/usr", first, NOTHING, policy.Location(file, 8), second),
            policy.Rule(
                "/home/u/.ssh",
                Action.WRITE_FILE,
                READ | Action.TRUNCATE,
                policy.Location(file, 13),
                Action.WRITE_FILE | Action.TRUNCATE,
            ),
        ),
        file,
    )
    assert hash(loaded) == hash(dataclasses.replace(loaded))


def test_json_is_the_same_with_its_own_spelling(load) -> None:
    loaded = load(
        """\
        {"abi": 5, "default": "deny",
         "variable": [{"name": "x", "literal": ["/x"]}],
         "ruleset": [{"handledAccessFs": ["abi.all"]}],
         "pathBeneath": [
            {"allowedAccess": ["read"], "deniedAccess": ["execute"], "parent": ["${x}"]}]}
        """,
        "some.json",
    )
    assert loaded.name == "some"
    assert loaded.handled == ABI_5
    (rule,) = loaded.rules
    assert (rule.path, rule.allowed, rule.denied, rule.location.line) == ("/x", READ, Action.EXECUTE, 5)


@pytest.mark.parametrize(
    ("head", "handled"),
    [
        # As in landlockconfig: rulesets add up, and what the rules name is added.
        ("", READ | Action.EXECUTE | Action.WRITE_FILE),
        ('[[ruleset]]\nhandled_access_fs = ["make_dir"]', READ | Action.EXECUTE | Action.WRITE_FILE | Action.MAKE_DIR),
        (
            '[[ruleset]]\nhandled_access_fs = ["make_dir"]\n[[ruleset]]\nhandled_access_fs = ["refer", "refer"]',
            READ | Action.EXECUTE | Action.WRITE_FILE | Action.MAKE_DIR | Action.REFER,
        ),
        # Ours.
        ('default = "deny"', ABI_5),
        (
            'default = "deny"\n[[ruleset]]\nhandled_access_fs = ["make_dir"]',
            READ | Action.EXECUTE | Action.WRITE_FILE | Action.MAKE_DIR,
        ),
        ('default = "allow"', Action.WRITE_FILE),
        ('default = "allow"\n[[ruleset]]\nhandled_access_fs = ["make_dir"]', Action.WRITE_FILE | Action.MAKE_DIR),
    ],
)
def test_handled(load, head: str, handled: Action) -> None:
    rules = """
[[path_beneath]]
allowed_access = ["read", "execute"]
parent = ["/a"]
[[path_beneath]]
denied_access = ["write_file"]
parent = ["/b"]
"""
    loaded = load(head + rules)
    assert loaded.handled == handled
    assert loaded.default == ("allow" if "allow" in head.split('"') else "deny")
    assert [rule.path for rule in loaded.rules] == ["/a", "/b"]
    assert loaded.rules[0].allowed == (READ | Action.EXECUTE) & handled


@pytest.mark.parametrize(
    ("landlock_abi", "rights"),
    [(1, ABI_1), (2, ABI_2), (3, ABI_3), (4, ABI_3), (5, ABI_5), (6, ABI_5), (8, ABI_5), (9, ABI_9), (10, ABI_9), (11, ABI_9)],
)
def test_abi_groups(load, landlock_abi: int, rights: Action) -> None:
    groups = {
        "abi.all": rights,
        "abi.read_execute": READ | Action.EXECUTE | (rights & Action.REFER),
        "abi.read_write": rights & ~Action.EXECUTE,
    }
    for group, expected in groups.items():
        loaded = load(f'abi = {landlock_abi}\n[[path_beneath]]\nallowed_access = ["{group}"]\nparent = ["/x"]')
        assert loaded.handled == expected
        assert loaded.rules == (policy.Rule("/x", expected, NOTHING, loaded.rules[0].location, NOTHING),)


@pytest.mark.parametrize(
    ("group", "actions"),
    [
        # Only what something else makes handled, beyond Landlock's 16.
        ("all", ABI_5),
        ("read", READ),
        ("read_metadata", METADATA_READ),
        ("write_metadata", METADATA_WRITE),
        ("write", ABI_5 & ~READ & ~Action.EXECUTE),
        *[(action.name.lower(), action) for action in Action],
    ],
)
def test_words_for_actions(load, group: str, actions: Action) -> None:
    (rule,) = load(f'[[path_beneath]]\nallowed_access = ["{group}"]\nparent = ["/x"]').rules
    assert rule.allowed == actions
    assert rule.explicit == (actions if group.upper() in Action.__members__ else NOTHING)


def test_landlockconfigs_manner(load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file in landlockconfig's own words: no key of ours, variables with several values, the working directory."""
    monkeypatch.chdir(tmp_path)
    loaded = load(
        """
        abi = 4
        [[variable]]
        name = "rw"
        literal = ["/var/tmp", "/tmp"]
        [[variable]]
        name = "rw"
        literal = ["/srv"]
        [[variable]]
        name = "unused"
        [[path_beneath]]
        allowed_access = ["abi.read_execute", "abi.read_execute"]
        parent = [".", "/bin", "/bin/", "/usr//lib/./x", "/${unused}"]
        [[path_beneath]]
        allowed_access = ["abi.read_write"]
        parent = ["${rw}"]
        """
    )
    assert [rule.path for rule in loaded.rules] == [os.getcwd(), "/bin", "/usr/lib/x", "/srv", "/tmp", "/var/tmp"]
    assert loaded.default == "deny"
    assert loaded.handled == ABI_3


def test_dots_above_are_left_to_the_file_system(load) -> None:
    (rule,) = load('[[path_beneath]]\nallowed_access = ["read"]\nparent = ["/a/../b/"]').rules
    assert rule.path == "/a/../b"


@pytest.mark.parametrize("path", sorted(POLICIES.glob("*.toml")), ids=lambda path: path.name)
def test_ready_policies(path: Path, environ: dict[str, str]) -> None:
    (loaded,) = policy.load(path, environ)
    assert loaded.name == path.stem
    assert loaded.rules


def test_by_a_path_in_words_and_our_own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.delenv("SUDO_USER", raising=False)
    path = POLICIES / "home-minus-ssh.toml"
    assert policy.load(str(path)) == policy.load(path, {"HOME": "/home/u"})


def test_the_demos_policy(environ: dict[str, str]) -> None:
    (loaded,) = policy.load(POLICIES / "home-minus-ssh.toml", environ)
    assert (loaded.handled, loaded.default, loaded.left) == (action_table.ALL, "deny", action_table.ALL & ~ABI_5)
    assert [(rule.path, rule.allowed, rule.denied) for rule in loaded.rules] == [
        ("/", action_table.ALL, NOTHING),
        ("/home/u/.ssh", NOTHING, action_table.ALL),
    ]


def test_as_many_rules_as_allowed(load) -> None:
    paths = ", ".join(f'"/{number}"' for number in range(abi.Limit.RULES))
    assert len(load(f'[[path_beneath]]\nallowed_access = ["read"]\nparent = [{paths}]').rules) == abi.Limit.RULES


def test_of_too_many_rules_nothing_else_is_said(load) -> None:
    """Those that deny come after as many as are read, and what permissions name is not handled under this default."""
    paths = ", ".join(f'"/{number}"' for number in range(abi.Limit.RULES + 1))
    text = f"""default = "allow"
[[path_beneath]]
allowed_access = ["ioctl"]
ioctl_commands = ["TIOCSTI"]
parent = [{paths}]
[[path_beneath]]
denied_access = ["ioctl"]
parent = ["/"]
"""
    with pytest.raises(errors.PolicyError) as refused:
        load(text)
    (problem,) = refused.value.problems
    assert "has more rules than" in str(problem)


def test_what_is_only_denied_is_left_where_no_rule_decides(load) -> None:
    rules = """
[[path_beneath]]
allowed_access = ["all"]
parent = ["/"]
[[path_beneath]]
denied_access = ["chmod", "read_file"]
parent = ["/a"]
[[path_beneath]]
allowed_access = ["utime"]
parent = ["/b"]
"""
    for head, left in (("", Action.CHMOD), ('default = "deny"', Action.CHMOD)):
        loaded = load(head + rules)
        # The word `all` makes Landlock's 16 handled; beyond them it permits what others make handled.
        assert (loaded.handled, loaded.left) == (ABI_5 | Action.CHMOD | Action.UTIME, left)
        assert loaded.rules[0].allowed == loaded.handled
        assert loaded.default_allow == left
    loaded = load('default = "allow"' + rules)
    assert (loaded.handled, loaded.left) == (Action.CHMOD | Action.READ_FILE, NOTHING)
    assert loaded.default_allow == loaded.handled | Action.REFER
    only = load('[[path_beneath]]\ndenied_access = ["chmod"]\nparent = ["/a"]')
    assert (only.default, only.default_allow) == ("deny", Action.CHMOD | Action.REFER)


def test_what_is_withheld_is_allowed_by_name_alone(load) -> None:
    loaded = load('default = "allow"\n[[path_beneath]]\nallowed_access = ["mount", "read"]\nparent = ["/a"]')
    assert (loaded.handled, loaded.rules[0].allowed, loaded.default_allow) == (Action.MOUNT, Action.MOUNT, Action.REFER)
    assert not action_table.WITHHELD & load('[[path_beneath]]\nallowed_access = ["all"]\nparent = ["/"]').rules[0].allowed


def test_names_commands_and_mode(load) -> None:
    loaded = load(
        """
        mode = "permissive"
        default = "allow"
        [[path_beneath]]
        denied_access = ["read", "ioctl"]
        parent = ["/a", "/b"]
        name = ["*.pem", ".env", "*.pem"]
        ioctl_commands = ["TIOCSTI", 0x5401, "FS_IOC_SETFLAGS", 0x5412]
        """
    )
    assert loaded.permissive
    assert [(rule.path, rule.names, rule.commands) for rule in loaded.rules] == [
        (path, ("*.pem", ".env"), (0x5401, 0x5412, 0x40046602, 0x40086602)) for path in ("/a", "/b")
    ]
    told = policy_description.describe(loaded)
    assert "permissive" in told
    assert "/a  deny read, ioctl (TCGETS, TIOCSTI, FS_IOC_SETFLAGS) of *.pem, .env beneath  (" in told


def test_the_same_in_json(load) -> None:
    loaded = load(
        """{"default": "allow", "mode": "enforcing", "pathBeneath": [
        {"deniedAccess": ["ioctl"], "parent": ["/a"], "name": ["x*"], "ioctlCommands": ["FICLONE", 1]}]}""",
        "some.json",
    )
    assert not loaded.permissive
    assert [(rule.names, rule.commands) for rule in loaded.rules] == [(("x*",), (1, 0x40049409))]


@pytest.mark.parametrize(("parent", "problems", "expanded"), [("/{}/${{v}}", 1, 2), ("{}/${{v}}", 5, 5)])
def test_what_is_too_much_is_not_all_worked_out(
    parent: str, problems: int, expanded: int, load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither rules nor, where the parents are wrong, problems are as many as parents times values."""
    seen: list[policy_format.Leaf] = []
    paths = policy_reader.Reader.paths
    monkeypatch.setattr(policy_reader.Reader, "paths", lambda self, leaf, known: seen.append(leaf) or paths(self, leaf, known))
    values = ", ".join(f'"{number}"' for number in range(abi.Limit.RULES - 1))
    parents = ", ".join(f'"{parent.format(number)}"' for number in range(5))
    text = f'[[variable]]\nname = "v"\nliteral = [{values}]\n[[path_beneath]]\nallowed_access = ["read"]\nparent = [{parents}]'
    with pytest.raises(errors.PolicyError) as refused:
        load(text)
    assert (len(refused.value.problems), len(seen)) == (problems, expanded)
