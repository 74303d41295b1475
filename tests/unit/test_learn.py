# SPDX-License-Identifier: GPL-2.0-only
"""What `learn` writes: a policy that reads back, or the reviewed text with rules at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from landlock_bpf import abi, cli, controller, errors, events, learning, policy, policy_actions, policy_addition
from landlock_bpf.abi import Action
from landlock_bpf.cli import layers, learn, output
from landlock_bpf.policy_addition import Reviewed

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
SETPRIV = "--landlock-access fs\n--landlock-rule path-beneath:read-file:/etc/passwd\n"
INLINE = 'default = "deny"\npath_beneath = [{ allowed_access = ["read"], parent = ["/etc"] }]\n'
BASE = policy.Policy("base", policy_actions.CLASSIC, "deny", (), "learn")
GROUP = policy.Rule("/etc/group", Action.READ_FILE, policy.NOTHING, policy.Location("learned", 1))


def rule(path: str, allowed: Action) -> policy.Rule:
    return policy.Rule(path, allowed, policy.NOTHING, policy.Location("learned", 1))


def write(path: Path, text: str) -> None:
    with output.opened(path) as place:
        output.replace(place, text.encode(), None)


def reviewed(path: Path, text: str) -> Reviewed:
    path.write_text(text)
    return policy_addition.read(path, {})


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path / "new.toml"


def test_a_new_policy_reads_back(new: Path) -> None:
    rules = rule("/a", Action.READ_FILE), rule("/b$", policy_actions.READ), rule("/c", Action.MOUNT)
    text = policy_addition.compose(["cmd", "a b"], rules, BASE, None)
    assert text.startswith("# Learned from: cmd 'a b'\n")
    policy_addition.check(text, new, BASE, None, {})
    write(new, text)
    (made,) = layers.load([new])
    assert [(each.path, each.allowed) for each in made.rules] == [(each.path, each.allowed) for each in rules]
    assert (made.default, made.handled) == ("deny", BASE.handled | Action.MOUNT)
    assert [path.name for path in new.parent.iterdir()] == ["new.toml"]


@pytest.mark.parametrize("word", ["\x1b[2J", "a\rb", "a\nname = 'b'", "\udcff", "\x7f", "\u202e"])
def test_any_command_fits_into_the_remark(word: str, new: Path) -> None:
    text = policy_addition.compose(["cmd", word], (GROUP,), BASE, None)
    policy_addition.check(text, new, BASE, None, {})
    first, _, _ = text.partition("\n")
    assert first.startswith("# Learned from: cmd ") and first.isprintable()


@pytest.mark.parametrize("name", ["old.toml", "old", "old.policy"])
def test_a_reviewed_text_stays(name: str, tmp_path: Path) -> None:
    """Whatever it is called: the form is what its text is in."""
    old = reviewed(tmp_path / name, OLD)
    assert policy_addition.compose(["cmd"], (), old.said, old) == OLD
    text = policy_addition.compose(["cmd"], (GROUP,), old.said, old)
    assert text.startswith(OLD) and text.endswith('[[path_beneath]]\nallowed_access = ["read_file"]\nparent = ["/etc/group"]\n')
    policy_addition.check(text, tmp_path / name, old.said, old, {})
    write(tmp_path / name, text)
    (made,) = layers.load([tmp_path / name])
    assert made.rules[:-1] == old.said.rules


@pytest.mark.parametrize("name", ["old.toml", "old"])
def test_another_form_becomes_toml(name: str, new: Path) -> None:
    old = reviewed(new.with_name(name), SETPRIV)
    policy_addition.try_out(new, old.said, old, {})
    text = policy_addition.compose(["cmd"], (GROUP,), old.said, old)
    policy_addition.check(text, new, old.said, old, {})
    write(new, text)
    (made,) = layers.load([new])
    assert [each.path for each in made.rules] == ["/etc/passwd", "/etc/group"]


def test_what_is_read_of_the_old_is_read_once(tmp_path: Path, new: Path) -> None:
    old = reviewed(tmp_path / "old.toml", OLD)
    (tmp_path / "old.toml").write_text(OLD.replace("denied", "allowed"))
    assert policy_addition.compose(["cmd"], (GROUP,), old.said, old).startswith(OLD)


def test_what_would_rule_on_more_is_refused(tmp_path: Path, new: Path) -> None:
    old = reviewed(tmp_path / "old.toml", '[[path_beneath]]\nallowed_access = ["read_file"]\nparent = ["/etc"]\n')
    text = policy_addition.compose(["cmd"], (rule("/tmp", Action.WRITE_FILE),), old.said, old)
    with pytest.raises(errors.Error, match="would change what"):
        policy_addition.check(text, new, old.said, old, {})


def test_what_would_change_reviewed_rules_is_refused(tmp_path: Path, new: Path) -> None:
    old = reviewed(tmp_path / "old.toml", OLD)
    text = policy_addition.compose(["cmd"], (GROUP,), old.said, old).replace("/etc/shadow", "/etc/other")
    with pytest.raises(errors.Error, match="would change the first 2 rules"):
        policy_addition.check(text, new, old.said, old, {})


def test_what_cannot_be_added_to_is_told_first(tmp_path: Path, new: Path) -> None:
    old = reviewed(tmp_path / "old.toml", INLINE)
    with pytest.raises(errors.Error, match=r"old.toml: no rule can be added; write path_beneath .* as \[\[path_beneath\]\]"):
        policy_addition.try_out(new, old.said, old, {})


@pytest.mark.parametrize(
    "text",
    [OLD, SETPRIV, 'default = "allow"\n[[path_beneath]]\ndenied_access = ["read"]\nparent = ["/etc"]\n',
     '[[path_beneath]]\nallowed_access = ["read"]\ndenied_access = ["chmod"]\nparent = ["/etc"]\n'],
)  # fmt: skip
def test_what_can_be_added_to_is_not_refused(text: str, tmp_path: Path, new: Path) -> None:
    old = reviewed(tmp_path / "old.toml", text)
    policy_addition.try_out(new, old.said, old, {})


class Commands:
    """Stands for the engine: what the command was seen to do, and what is done to files while it runs."""

    def __init__(self) -> None:
        self.denials: list[events.Denial] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def run(self, *_: object) -> tuple[int, list[events.Denial]]:
        self.meanwhile()
        return 0, self.denials

    def __enter__(self) -> Commands:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def try_out(self, policies: object) -> None:
        pass


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    made = Commands()
    monkeypatch.setattr(cli, "require_root", lambda: None)
    monkeypatch.setattr(learn, "_run", made.run)
    monkeypatch.setattr(controller.Controller, "open", lambda: made)
    yield made


def denial(action: Action, path: str) -> events.Denial:
    reason = abi.Reason.NO_RULE.name.lower()
    return events.Denial(0, "d", 0, "p", action, "file_open", "EACCES", 1, 1, 0, "cmd", path, "", reason, None, "")


def test_who_writes_to_the_old_meanwhile_adds_no_rule(commands: Commands, tmp_path: Path, new: Path) -> None:
    old = tmp_path / "old.toml"
    old.write_text(OLD)
    commands.denials = [denial(Action.READ_FILE, "/etc/group")]
    commands.meanwhile = lambda: old.write_text(OLD + '[[path_beneath]]\nallowed_access = ["all"]\nparent = ["/"]\n')
    assert cli.main(["learn", "--merge", str(old), "-o", str(new), "--", "cmd"]) == 0
    assert [each.path for each in layers.load([new])[0].rules] == ["/etc/passwd", "/etc/shadow", "/etc/group"]


@pytest.mark.parametrize("name", ["new.json", "new.toml"])
def test_what_cannot_be_written_is_told_before_the_run(name: str, commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "old").write_text(INLINE)
    ran: list[bool] = []
    commands.meanwhile = lambda: ran.append(True)
    words = ["learn", "--merge", str(tmp_path / "old"), "-o", str(tmp_path / name), "--", "cmd"]
    if name == "new.json":
        with pytest.raises(SystemExit):
            cli.main(words)
    else:
        assert cli.main(words) == 125
    assert not ran


def test_what_was_learned_is_printed_if_it_cannot_be_written(
    commands: Commands, new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.denials = [denial(Action.READ_FILE, "/etc/group")]
    commands.meanwhile = lambda: new.mkdir()
    assert cli.main(["learn", "-o", str(new), "--", "cmd"]) == 125
    told = capsys.readouterr().err
    assert 'allowed_access = ["read_file"]\nparent = ["/etc/group"]\n' in told and f"cannot write {new}" in told
    assert not [*new.iterdir()] and [*new.parent.iterdir()] == [new]


@pytest.mark.parametrize("what", ["allowable", "rules", "compose"])
def test_what_was_learned_is_printed_if_no_rules_are_made(
    what: str, commands: Commands, new: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By ^C, for one: of a long run much is to be worked out. Then what is known is told as `events` would."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def run() -> None:
        if what == "allowable":
            monkeypatch.setattr(learn, "_allowable", interrupted)
        else:
            monkeypatch.setattr(learning if what == "rules" else policy_addition, what, interrupted)

    commands.denials = [denial(Action.READ_FILE, "/etc/group"), denial(Action.WRITE_FILE, "/etc/hosts")]
    commands.meanwhile = run
    assert cli.main(["learn", "-o", str(new), "--", "cmd"]) == 130
    assert [line.split()[4:6] for line in capsys.readouterr().err.splitlines()] == [
        ["read_file", "/etc/group"],
        ["write_file", "/etc/hosts"],
    ]
    assert not new.exists()


def test_who_makes_the_file_meanwhile_does_not_get_the_policy(commands: Commands, new: Path) -> None:
    def make() -> None:
        new.touch()
        new.chmod(0o666)

    commands.denials = [denial(Action.READ_FILE, "/etc/group")]
    commands.meanwhile = make
    assert cli.main(["learn", "-o", str(new), "--", "cmd"]) == 0
    assert new.stat().st_mode & 0o777 == 0o600


def test_writing_on_much_is_told(commands: Commands, new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands.denials = [denial(Action.READ_FILE | Action.WRITE_FILE, "/etc"), denial(Action.WRITE_FILE, "/tmp")]
    assert cli.main(["learn", "-o", str(new), "--", "cmd"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("new.toml allows write_file, read_file on /etc and all beneath: see whether that is wanted")
