# SPDX-License-Identifier: GPL-2.0-only
"""What changes between two policies: told by verdicts, compared with a small oracle over random policies."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from landlock_bpf import abi, action_table, cli, policy, policy_difference
from landlock_bpf.abi import Action
from landlock_bpf.cli import diff
from landlock_bpf.policy_difference import Verdict

NOTHING = Action(0)
WORK = """\
default = "deny"
[[path_beneath]]
allowed_access = ["read", "execute"]
parent = ["/"]
[[path_beneath]]
allowed_access = ["write"]
parent = ["/home/u/work"]
[[path_beneath]]
denied_access = ["read"]
parent = ["/home/u/work/secret"]
"""


def difference(tmp_path: Path, before: str, after: str) -> policy_difference.Difference:
    made = []
    for name, text in (("a.toml", before), ("b.toml", after)):
        (tmp_path / name).write_text(textwrap.dedent(text))
        made += policy.load(tmp_path / name, {})
    return policy_difference.compare(*made)


SAME = [
    (WORK, WORK),
    # Groups or single actions; one table or several; another order; a path written otherwise; what an outer rule says already.
    (WORK, WORK.replace('["read", "execute"]', '["read_dir", "execute", "read_file"]')),
    (WORK, WORK + '[[path_beneath]]\nallowed_access = ["write_file"]\nparent = ["/home/u/work/"]\n'),
    (WORK, WORK + '[[path_beneath]]\nallowed_access = ["read"]\nparent = ["/usr"]\n'),
    (WORK, 'name = "other"\n' + WORK),
    (WORK, WORK.replace('default = "deny"', '[[ruleset]]\nhandled_access_fs = ["read", "write", "execute"]')),
    # What is denied where it is denied already.
    (WORK, WORK + '[[path_beneath]]\ndenied_access = ["read_dir"]\nparent = ["/home/u/work/secret"]\n'),
]


@pytest.mark.parametrize(("before", "after"), SAME)
def test_the_same_in_other_words(tmp_path: Path, before: str, after: str) -> None:
    assert not difference(tmp_path, before, after)


OTHER = [
    # An exception goes, another one comes.
    (
        WORK,
        WORK.replace("secret", "other"),
        """\
        /home/u/work/other
          read: was allowed, now denied
          was not sealed, now sealed: renaming, removing and replacing it, or a directory on the way to it
        /home/u/work/secret
          read: was denied, now allowed
          was sealed, now not sealed: renaming, removing and replacing it, or a directory on the way to it
        """,
    ),
    # What changes on top does not change where something nearer decides.
    (
        WORK,
        WORK.replace('["read", "execute"]', '["execute"]'),
        """\
        /
          read: was allowed, now denied
        /home/u/work/secret
          read: denied as before
        """,
    ),
    (
        WORK,
        WORK.replace('["read", "execute"]', '["read", "execute", "make_dir"]'),
        """\
        /
          make_dir: was denied, now allowed
        /home/u/work
          make_dir: allowed as before
        """,
    ),
    # Defaults, what is handled, and the mode.
    (
        WORK,
        WORK.replace('default = "deny"', 'default = "allow"'),
        """\
        write, execute: was handled, now left alone
        /
          write: was denied, now left alone
        /home/u/work
          write: was allowed, now left alone
        """,
    ),
    (
        WORK,
        WORK.replace('default = "deny"', 'default = "deny"\nmode = "permissive"\n[[ruleset]]\nhandled_access_fs = ["all"]'),
        """\
        mode: was enforcing, now permissive
        read_metadata, write_metadata, lock, fcntl, ioctl, map_exec, chroot, receive, resolve_unix: was left alone, now handled
        /
          read_metadata, write_metadata, lock, fcntl, ioctl, map_exec, chroot, receive, resolve_unix: was left alone, now denied
        """,
    ),
    # Every policy handles refer.
    (
        '[[path_beneath]]\nallowed_access = ["read"]\nparent = ["/"]\n',
        '[[path_beneath]]\nallowed_access = ["read", "refer"]\nparent = ["/"]\n[[ruleset]]\nhandled_access_fs = ["make_dir"]',
        """\
        make_dir: was left alone, now handled
        /
          refer: was denied, now allowed
          make_dir: was left alone, now denied
        """,
    ),
    # What is handled only because something denies it.
    (
        WORK,
        WORK.replace('denied_access = ["read"]', 'denied_access = ["read", "chmod"]'),
        """\
        chmod: was left alone, now handled
        /home/u/work/secret
          chmod: was allowed, now denied
        """.replace("was allowed", "was left alone"),
    ),
    # Names and ioctl commands.
    (
        WORK,
        WORK + '[[path_beneath]]\ndenied_access = ["read", "write"]\nname = ["*.pem", ".env"]\nparent = ["/home/u"]\n',
        """\
        /home/u, what is named *.pem
          read: was allowed, now denied
        /home/u, what is named .env
          read: was allowed, now denied
        /home/u/work, what is named *.pem
          write: was allowed, now denied
        /home/u/work, what is named .env
          write: was allowed, now denied
        /home/u/work/secret, what is named *.pem
          read: denied as before
        /home/u/work/secret, what is named .env
          read: denied as before
        """,
    ),
    # The directory beneath which names are denied is sealed, and with it the way to it.
    (
        WORK + '[[path_beneath]]\ndenied_access = ["write"]\nname = ["*.pem"]\nparent = ["/srv/x"]\n',
        WORK + '[[path_beneath]]\ndenied_access = ["write"]\nname = ["*.pem"]\nparent = ["/srv"]\n',
        """\
        /srv/x
          was sealed, now not sealed: renaming, removing and replacing it, or a directory on the way to it
        """,
    ),
    (
        WORK,
        WORK + '[[path_beneath]]\ndenied_access = ["execute"]\nname = ["*.pem"]\nparent = ["/srv/x"]\n',
        """\
        /srv/x
          was not sealed, now sealed: renaming, removing and replacing it, or a directory on the way to it
        /srv/x, what is named *.pem
          execute: was allowed, now denied
        """,
    ),
    (
        WORK,
        WORK + '[[path_beneath]]\ndenied_access = ["ioctl"]\nioctl_commands = ["TIOCSTI"]\nparent = ["/dev"]\n',
        """\
        ioctl: was left alone, now handled
        /dev
          ioctl (TIOCSTI): was left alone, now denied
          was not sealed, now sealed: renaming, removing and replacing it, or a directory on the way to it
        """,
    ),
]


@pytest.mark.parametrize(("before", "after", "words"), OTHER)
def test_differences(tmp_path: Path, before: str, after: str, words: str) -> None:
    found = difference(tmp_path, before, after)
    assert found
    assert diff.words(found) == textwrap.dedent(words).splitlines()
    back = difference(tmp_path, after, before)
    assert (back.handled, back.unhandled, back.sealed, back.unsealed) == (
        found.unhandled,
        found.handled,
        found.unsealed,
        found.sealed,
    )
    turned = [dataclasses.replace(change, before=change.after, after=change.before) for change in found.changes]
    assert sorted(map(str, back.changes)) == sorted(map(str, turned))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "a.toml", tmp_path / "b"
    first.write_text(WORK)
    second.write_text("--landlock-access fs --landlock-rule path-beneath:execute:/")
    assert cli.main(["diff", str(first), str(first)]) == 0
    assert capsys.readouterr().out == ""
    assert cli.main(["diff", str(first), str(second)]) == 1
    assert "/\n  read: was allowed, now denied\n" in capsys.readouterr().out
    assert cli.main(["diff", str(first), str(second), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    read = {
        "path": "/",
        "name": "",
        "actions": ["read_file", "read_dir"],
        "commands": [],
        "before": "allowed",
        "after": "denied",
    }
    assert read in told["changes"]
    assert told["handled"] == ["resolve_unix"]
    assert cli.main(["diff", str(first), "/missing"]) == 2
    assert "cannot be read" in capsys.readouterr().err


# Random policies over few paths, actions, names and commands, and an oracle that walks up for each question.

PATHS = ("/", "/a", "/a/b", "/a/b/c", "/ab")
ACTIONS = (Action.READ_FILE, Action.EXECUTE, Action.REFER, Action.IOCTL, Action.MOUNT)
COMMANDS = (1, 2)
LOCATION = policy.Location("x", 1)


def union(actions: set[Action]) -> Action:
    mask = NOTHING
    for action in actions:
        mask |= action
    return mask


MASKS = st.sets(st.sampled_from(ACTIONS)).map(union)
RULES = st.builds(
    lambda path, allowed, denied, names, commands: policy.Rule(
        path,
        NOTHING if names else allowed,
        denied,
        LOCATION,
        NOTHING,
        names,
        commands if (allowed if not names else NOTHING) | denied & Action.IOCTL else (),
    ),
    st.sampled_from(PATHS),
    MASKS,
    MASKS,
    st.sampled_from([(), (), (), ("x",), ("x", "y")]),
    st.sampled_from([(), (), (1,), (1, 2)]),
)


@st.composite
def policies(draw: st.DrawFn) -> policy.Policy:
    rules = []
    for rule in draw(st.lists(RULES, max_size=5)):
        commands = rule.commands if (rule.allowed | rule.denied) & Action.IOCTL else ()
        rules.append(dataclasses.replace(rule, commands=commands))
    handled = draw(MASKS) | Action.EXECUTE
    for rule in rules:
        handled |= rule.allowed | rule.denied
    default = draw(st.sampled_from(["deny", "allow"]))
    left = draw(MASKS) & handled if default == "deny" else NOTHING
    return policy.Policy("p", handled, default, tuple(rules), "x", left, draw(st.booleans()))


def verdict(made: policy.Policy, path: str, name: str, action: Action, command: int) -> Verdict:
    """Walk up from what has this name, or from the path itself, until a rule decides."""
    if action & ~(made.handled | Action.REFER | action_table.WITHHELD):
        return Verdict.LEFT
    ways = [path, *iter_up(path)]

    def speaks(rule: policy.Rule, mask: Action) -> bool:
        return bool(mask & action) and (action != Action.IOCTL or not rule.commands or command in rule.commands)

    if name and any(speaks(rule, rule.denied) for rule in made.rules if rule.path in ways and name in rule.names):
        return Verdict.DENIED
    for way in ways:
        here = [rule for rule in made.rules if rule.path == way and not rule.names]
        if any(speaks(rule, rule.denied) for rule in here):
            return Verdict.DENIED
        if any(speaks(rule, rule.allowed) for rule in here):
            return Verdict.ALLOWED
    return Verdict.ALLOWED if action & made.default_allow else Verdict.DENIED


def iter_up(path: str) -> Iterator[str]:
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        yield path


@hypothesis.given(policies(), policies())
def test_against_the_oracle(before: policy.Policy, after: policy.Policy) -> None:
    """Whatever is told changed, and what is not told did not, for every path, name, action and command."""
    found = policy_difference.compare(before, after)
    told = {(change.path, change.name): [] for change in found.changes}
    for change in found.changes:
        told[change.path, change.name].append(change)
    for path in PATHS:
        for name in ("", "x", "y"):
            for action in ACTIONS:
                for command in COMMANDS if action == Action.IOCTL else (0,):
                    was, now = (verdict(made, path, name, action, command) for made in (before, after))
                    changed = (was is Verdict.DENIED) != (now is Verdict.DENIED)
                    assert heard(told, path, name, action, command) == changed, (path, name, action, command)


def heard(
    told: dict[tuple[str, str], list[policy_difference.Change]], path: str, name: str, action: Action, command: int
) -> bool:
    """Read what is told as a person does: the nearest that speaks of it, a command before ioctl as a whole."""
    ways = [path, *iter_up(path)]
    places = [(way, name) for way in ways if name] + [(way, "") for way in ways]
    for place in places:
        changes = told.get(place, [])
        apart = [change for change in changes if command and command in change.commands]
        for change in apart or [change for change in changes if change.actions & action]:
            return (change.before is Verdict.DENIED) != (change.after is Verdict.DENIED)
    return False


@hypothesis.given(policies())
def test_no_policy_differs_from_itself(made: policy.Policy) -> None:
    found = policy_difference.compare(made, dataclasses.replace(made, rules=made.rules[::-1], name="other"))
    assert not found
    assert found.changes == ()


def test_ten_thousand_rules_take_no_time() -> None:
    rules = tuple(
        policy.Rule(f"/d{number % 100}/{number}", Action.EXECUTE, NOTHING, LOCATION) for number in range(abi.Limit.RULES)
    )
    made = policy.Policy("p", Action.EXECUTE, "deny", rules, "x")
    found = policy_difference.compare(made, dataclasses.replace(made, rules=rules[1:]))
    assert [change.path for change in found.changes] == ["/d0/0"]
