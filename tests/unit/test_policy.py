# SPDX-License-Identifier: GPL-2.0-only
"""What a policy file, or landrun's words, come to mean."""

from __future__ import annotations

import dataclasses
import os
import textwrap
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from landlock_bpf import abi, action_table, errors, policy, policy_actions, policy_description, policy_format, policy_reader
from landlock_bpf.abi import Action

ENVIRON = {"HOME": "/home/u", "USER": "u"}
POLICIES = Path(policy.__file__).parent.parent / "policies"

READ = Action.READ_FILE | Action.READ_DIR
REMOVE = Action.REMOVE_DIR | Action.REMOVE_FILE
MAKE = (
    Action.MAKE_CHAR
    | Action.MAKE_DIR
    | Action.MAKE_REG
    | Action.MAKE_SOCK
    | Action.MAKE_FIFO
    | Action.MAKE_BLOCK
    | Action.MAKE_SYM
)
# The first ABI of the landlock syscalls, as landlock(7) has it.
ABI_1 = Action.EXECUTE | Action.WRITE_FILE | READ | REMOVE | MAKE
ABI_2 = ABI_1 | Action.REFER
ABI_3 = ABI_2 | Action.TRUNCATE
ABI_5 = ABI_3 | Action.IOCTL_DEV
ABI_9 = ABI_5 | Action.RESOLVE_UNIX
METADATA_READ = Action.STAT | Action.READLINK | Action.GETXATTR | Action.LISTXATTR | Action.FILE_GETATTR
METADATA_WRITE = (
    Action.CHMOD | Action.CHOWN | Action.UTIME | Action.SETXATTR | Action.REMOVEXATTR | Action.SET_ACL | Action.FILE_SETATTR
)
NOTHING = Action(0)


@pytest.fixture
def load(tmp_path: Path):
    def load(text: str, name: str = "some.toml") -> policy.Policy:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        (loaded,) = policy.load(path, ENVIRON)
        return loaded

    return load


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
def test_ready_policies(path: Path) -> None:
    (loaded,) = policy.load(path, ENVIRON)
    assert loaded.name == path.stem
    assert loaded.rules


def test_the_demos_policy() -> None:
    (loaded,) = policy.load(POLICIES / "home-minus-ssh.toml", ENVIRON)
    assert (loaded.handled, loaded.default, loaded.left) == (action_table.ALL, "deny", action_table.ALL & ~ABI_5)
    assert [(rule.path, rule.allowed, rule.denied) for rule in loaded.rules] == [
        ("/", action_table.ALL, NOTHING),
        ("/home/u/.ssh", NOTHING, action_table.ALL),
    ]


RW = ABI_5 & ~Action.EXECUTE


@pytest.mark.parametrize(
    ("words", "rules"),
    [
        ({}, []),
        ({"ro": ["/a"]}, [("/a", READ, NOTHING)]),
        ({"rox": ["/a"]}, [("/a", READ | Action.EXECUTE, NOTHING)]),
        ({"rw": ["/a"]}, [("/a", RW, NOTHING)]),
        ({"rwx": ["/a"]}, [("/a", ABI_5, NOTHING)]),
        ({"ro": ["/a,/b", "/c"]}, [("/a", READ, NOTHING), ("/b", READ, NOTHING), ("/c", READ, NOTHING)]),
        ({"ro": ["/"], "deny": ["/a"]}, [("/", READ, NOTHING), ("/a", NOTHING, action_table.ALL)]),
        ({"ro": ["/"], "deny": ["/a:read_file,write"]}, [("/", READ, NOTHING), ("/a", NOTHING, RW & ~Action.READ_DIR)]),
        ({"ro": ["/"], "deny": ["/a:b/c"]}, [("/", READ, NOTHING), ("/a:b/c", NOTHING, action_table.ALL)]),
        ({"ro": ["/"], "deny": ["/a:b:all"]}, [("/", READ, NOTHING), ("/a:b", NOTHING, action_table.ALL)]),
    ],
)
def test_from_words(words: dict[str, list[str]], rules: list[tuple[str, Action, Action]]) -> None:
    made = policy.from_words(**words)
    assert [(rule.path, rule.allowed, rule.denied) for rule in made.rules] == rules
    assert [rule.location for rule in made.rules] == [
        policy.Location("command line", line) for line in range(1, len(rules) + 1)
    ]
    denied = NOTHING
    for _path, _allowed, mask in rules:
        denied |= mask
    assert (made.default, made.handled, made.left) == ("deny", ABI_5 | denied, denied & ~ABI_5)


def test_with_denials_only_the_rest_is_allowed() -> None:
    made = policy.from_words(deny=["/a:read", "/b:execute"])
    assert (made.default, made.handled) == ("allow", READ | Action.EXECUTE)
    assert [rule.explicit for rule in made.rules] == [NOTHING, Action.EXECUTE]


def test_permissions_of_single_actions() -> None:
    made = policy.from_words(deny=["/a:chmod"], allow=["/b:chown,read_file", "/c:read"])
    assert [(rule.path, rule.allowed, rule.denied, rule.explicit) for rule in made.rules] == [
        ("/a", NOTHING, Action.CHMOD, Action.CHMOD),
        ("/b", Action.CHOWN | Action.READ_FILE, NOTHING, Action.CHOWN | Action.READ_FILE),
        ("/c", READ, NOTHING, NOTHING),
    ]
    assert (made.default, made.handled, made.left) == ("deny", ABI_5 | Action.CHMOD | Action.CHOWN, Action.CHMOD)


def test_words_count_paths_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = os.getcwd()
    made = policy.from_words(ro=["."], rw=["x/../y", "$HOME"])
    assert [rule.path for rule in made.rules] == [here, f"{here}/x/../y", f"{here}/$HOME"]


def test_a_relative_path_without_a_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(errors.PolicyError, match="--ro: 'x' is not an absolute path; begin it with /") as caught:
        policy.from_words(ro=["x"])
    assert "${" not in str(caught.value)


def test_all_mistakes_of_the_words_at_once() -> None:
    with pytest.raises(errors.PolicyError) as caught:
        policy.from_words(ro=["", "/a\0"], deny=["/b:reed_file,abi.all", "/c:"], allow=["/d:"])
    assert [(problem.file, problem.line, problem.key) for problem in caught.value.problems] == [
        ("command line", 1, "--ro"),
        ("command line", 2, "--ro"),
        ("command line", 3, "--deny"),
        ("command line", 3, "--deny"),
        ("command line", 4, "--deny"),
        ("command line", 5, "--allow"),
    ]


@hypothesis.given(
    st.lists(st.text(st.sampled_from("/a:,.\0\udcffr_")), max_size=3), st.lists(st.text(st.sampled_from("/a:,.r")), max_size=3)
)
def test_random_words(ro: list[str], deny: list[str]) -> None:
    try:
        made = policy.from_words(ro=ro, deny=deny)
    except errors.PolicyError:
        return
    assert all(rule.path.startswith("/") for rule in made.rules)


LOCATION = policy.Location("x.py", 1)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"default": "maybe"}, "neither deny nor allow"),
        ({"handled": NOTHING, "rules": ()}, "handles no action"),
        ({"handled": READ | Action(1 << 60)}, "x.py: handled: 0x1000000000000000 is no action; leave it out"),
        ({"rules": (policy.Rule("/a", READ | Action(1 << 60), NOTHING, LOCATION),)}, "x.py:1: 0x1000000000000000 is no"),
        ({"rules": (policy.Rule("a", READ, NOTHING, LOCATION),)}, "not an absolute path"),
        ({"rules": (policy.Rule("/a", NOTHING, Action.EXECUTE, LOCATION),)}, "does not handle"),
        ({"rules": (policy.Rule("/a", READ, NOTHING, LOCATION, names=("x",)),)}, "names only deny"),
        ({"rules": (policy.Rule("/a", READ, NOTHING, LOCATION, commands=(1,)),)}, "neither allows nor denies ioctl"),
        (
            {"rules": (policy.Rule("/a", READ, NOTHING, LOCATION),) * (abi.Limit.RULES + 1)},
            "has more rules than the 10000 of a policy",
        ),
    ],
)
def test_values_that_fit_no_policy(parts: dict[str, object], words: str) -> None:
    good = policy.Policy("x", READ, "deny", (policy.Rule("/a", READ, NOTHING, LOCATION),), "x.py")
    with pytest.raises(errors.PolicyError, match=words):
        dataclasses.replace(good, **parts)


def ruling(**words: Any) -> policy.Policy:
    """Make a policy of one rule, of values."""
    said = {"path": "/a", "allowed": NOTHING, "denied": READ | Action.IOCTL, "location": LOCATION, **words}
    return policy.Policy("x", READ | Action.IOCTL, "deny", (policy.Rule(**said),), "x.py")


@pytest.mark.parametrize("name", ["", "*", "a*b*c", "a/b", "..", "a\0", "\ud800", "x" * 256])
def test_values_that_are_no_pattern(name: str) -> None:
    with pytest.raises(errors.PolicyError, match="^x.py:1: '.*; write a name with one [*] at most"):
        ruling(names=("*.pem", name))


@pytest.mark.parametrize("command", [-1, 1 << 32, "TIOCSTI"])
def test_values_that_are_no_command(command: object) -> None:
    with pytest.raises(errors.PolicyError, match=f"^x.py:1: {command!r} is no ioctl command; write a number from 0 to 0xff"):
        ruling(commands=(7, command))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/a\0b", r"'/a\\x00b' has a NUL in it; no path on Linux can"),
        ("/\ud800", r"'/\\ud800' has half of a UTF-16 pair in it; write the"),
        ("/" + "a/" * 2048, r"'/a/a/[a/]*\.\.\. is longer than the 4095 bytes of a path; name a directory above it"),
    ],
)
def test_values_that_are_no_path(path: str, words: str) -> None:
    with pytest.raises(errors.PolicyError, match=f"^x.py:1: {words}"):
        ruling(path=path)


def test_a_path_may_be_as_long_as_the_kernel_takes(load) -> None:
    path = "/" + "a" * 4094
    assert ruling(path=path).rules[0].path == path
    text = '[[path_beneath]]\nallowed_access = ["read"]\nparent = ["%s"]'
    assert load(text % path).rules[0].path == path
    what = (
        r":3: path_beneath\[0\].parent\[0\]: '/a{75}\.\.\. is longer than the 4095 bytes of a path; name a directory above it$"
    )
    with pytest.raises(errors.PolicyError, match=what):
        load(text % f"{path}a")


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
            "  left alone  read, read_metadata, write_metadata, lock, fcntl, ioctl, map_exec, chroot, receive, resolve_unix",
            "  default     allow: a handled action is allowed where no rule names it",
            "  rules       3",
            f"    /a  deny write, execute  ({file}:4)",
            f"    /a/b  allow make_dir, truncate; deny execute  ({file}:8)",
            f"    /c  changes nothing  ({file}:11)",
        )
    )


def test_describe_tells_what_nothing_allows(load) -> None:
    """Who allows something in one place sees that it is denied everywhere else."""
    loaded = load('[[ruleset]]\nhandled_access_fs = ["read"]\n[[path_beneath]]\ndenied_access = ["read"]\nparent = ["/a"]')
    assert "\n  denied      read, everywhere: no rule allows it\n" in policy_description.describe(loaded)
    assert "everywhere" not in policy_description.describe(policy.from_words(rwx=["/"], deny=["/a"]))
    assert "everywhere" not in policy_description.describe(policy.from_words(deny=["/a"]))
    left = policy_description.describe(policy.from_words(rwx=["/"], deny=["/a:chmod,read"]))
    assert "\n  allowed     chmod, where no rule denies it\n" in left


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
