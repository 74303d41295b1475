# SPDX-License-Identifier: GPL-2.0-only
"""Every mistake in a policy file is reported with its line, its key and a remedy, and all of them at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from landlock_bpf import cli, errors, policy

RULE = '[[path_beneath]]\nallowed_access = ["read"]\nparent = ["/x"]\n'

# The text, and of its one problem the line, the key, and words of the message and of the remedy.
DENIAL = "[[path_beneath]]\ndenied_access = ['read']\nparent = ['/x']\n"
IOCTL = "[[path_beneath]]\ndenied_access = ['ioctl']\nparent = ['/x']\nioctl_commands = "
MISTAKES = [
    # Keys.
    ("nam = 'x'\n" + RULE, 1, "nam", "not a key of a policy", "did you mean name?"),
    ("made = 'x'\n" + RULE, 1, "made", "not a key of a policy", "did you mean"),
    ("mode = 'learn'\n" + RULE, 1, "mode", "'learn' does not fit", "permissive"),
    ("[pathBeneath]\n" + RULE, 1, "pathBeneath", "not a key of a policy", "did you mean path_beneath?"),
    (RULE + "path = '/'", 4, "path_beneath[0].path", "not a key here", "did you mean parent?"),
    (RULE + "alowed_access = ['read']", 4, "path_beneath[0].alowed_access", "not a key here", "did you mean allowed_access?"),
    (RULE + "[[variable]]\nname = 'x'\nliterals = ['/']", 6, "variable[0].literals", "not a key here", "did you mean literal?"),
    ('"\\u001b[31m" = 1\n' + RULE, 1, "'\\x1b[31m'", "not a key", ""),
    # What landlockconfig has and we do not enforce is never ignored.
    ("[[net_port]]\nallowed_access = ['bind_tcp']\nport = [80]\n" + RULE, 1, "net_port", "not enforced", "remove it"),
    (
        "[[ruleset]]\nhandled_access_net = ['bind_tcp']\n" + RULE,
        2,
        "ruleset[0].handled_access_net",
        "not enforced",
        "remove it",
    ),
    ("[[ruleset]]\nscoped = ['signal']\n" + RULE, 2, "ruleset[0].scoped", "not enforced", "remove it"),
    # Types and values.
    ("abi = '5'\n" + RULE, 1, "abi", "'5' does not fit", "an integer from 1"),
    ("abi = 0\n" + RULE, 1, "abi", "0 does not fit", "an integer from 1"),
    ("abi = 2147483648\n" + RULE, 1, "abi", "does not fit", "an integer from 1"),
    ("abi = true\n" + RULE, 1, "abi", "True does not fit", "an integer from 1"),
    ("name = ''\n" + RULE, 1, "name", "'' does not fit", "a printable string"),
    ('name = "a\\n"\n' + RULE, 1, "name", "does not fit", "a printable string"),
    (f"name = '{'é' * 32}'\n" + RULE, 1, "name", "does not fit", "of 1 to 63 bytes"),
    ("default = 'Deny'\n" + RULE, 1, "default", "'Deny' does not fit", '"deny" or "allow"'),
    ("default = 1979-05-27\n" + RULE, 1, "default", "does not fit", '"deny" or "allow"'),
    ("path_beneath = []", 1, "path_beneath", "is empty", "at least one"),
    ("path_beneath = ['/x']", 1, "path_beneath[0]", "'/x' is not a table", "write a table"),
    (
        "[path_beneath]\nallowed_access = ['read']\nparent = ['/']",
        1,
        "path_beneath",
        "not an array of tables",
        "write [[path_beneath]]",
    ),
    ("path_beneath = '/x'", 1, "path_beneath", "not an array of tables", "write [[path_beneath]]"),
    (
        RULE + "[[path_beneath]]\nallowed_access = 'read'\nparent = ['/']",
        5,
        "path_beneath[1].allowed_access",
        "not an array",
        "['read']",
    ),
    (RULE + "denied_access = []", 4, "path_beneath[0].denied_access", "is empty", "at least one"),
    (RULE + "denied_access = [\n'execute',\n1]", 6, "path_beneath[0].denied_access[1]", "1 is not a string", "write a string"),
    # What must be there.
    ("", 0, "", "handles no action", "add a rule"),
    ("[[variable]]\nname = 'x'", 0, "", "handles no action", "add a rule"),
    ("default = 'allow'\n" + RULE, 0, "", "handles no action", "deny something"),
    ("[[path_beneath]]\nparent = ['/']", 1, "path_beneath[0]", "neither allowed_access nor denied_access", "allows or denies"),
    ("[[path_beneath]]\nallowed_access = ['read']", 1, "path_beneath[0]", "parent is missing", "array of strings"),
    (RULE + "[[ruleset]]", 4, "ruleset[0]", "handled_access_fs is missing", "array of action names"),
    (RULE + "[[variable]]\nliteral = ['x']", 4, "variable[0]", "name is missing", "add name"),
    # Actions.
    (RULE + "denied_access = ['reed_dir']", 4, "path_beneath[0].denied_access[0]", "not an action", "did you mean read_dir?"),
    (RULE + "denied_access = ['EXECUTE']", 4, "path_beneath[0].denied_access[0]", "not an action", "did you mean execute?"),
    (RULE + "denied_access = ['']", 4, "path_beneath[0].denied_access[0]", "'' is not an action", "known are abi.all"),
    (
        "[[ruleset]]\nhandled_access_fs = ['abi.all']\n" + RULE,
        2,
        "ruleset[0].handled_access_fs[0]",
        "without the key abi",
        "add abi = 5",
    ),
    (
        "[[ruleset]]\nhandled_access_fs = ['v5.all']\n" + RULE,
        2,
        "ruleset[0].handled_access_fs[0]",
        "not an action",
        "abi.all, and abi = 5",
    ),
    (
        "[[ruleset]]\nhandled_access_fs = ['bind_tcp']\n" + RULE,
        2,
        "ruleset[0].handled_access_fs[0]",
        "not ruled yet",
        "remove it",
    ),
    (
        "abi = 12\n[[ruleset]]\nhandled_access_fs = ['abi.all']\n" + RULE,
        3,
        "ruleset[0].handled_access_fs[0]",
        "of Landlock ABI 12 stands for is not known here",
        "abi = 11",
    ),
    (
        RULE + "denied_access = [\n'read_dir']",
        5,
        "path_beneath[0].denied_access",
        "read_dir is allowed and denied",
        "second rule",
    ),
    # Paths and variables.
    (
        RULE + "[[path_beneath]]\ndenied_access=['read']\nparent = ['a/b']",
        6,
        "path_beneath[1].parent[0]",
        "not an absolute path",
        "${HOME}",
    ),
    (
        RULE + "[[path_beneath]]\ndenied_access=['read']\nparent = ['~/.ssh']",
        6,
        "path_beneath[1].parent[0]",
        "not an absolute",
        "${HOME}/.ssh",
    ),
    (
        RULE + "[[path_beneath]]\ndenied_access=['read']\nparent = ['']",
        6,
        "path_beneath[1].parent[0]",
        "'' is not an absolute",
        "begin it with /",
    ),
    (
        RULE + '[[path_beneath]]\ndenied_access=["read"]\nparent = ["/\\u0000"]',
        6,
        "path_beneath[1].parent[0]",
        "NUL",
        "remove it",
    ),
    (
        RULE + "[[path_beneath]]\ndenied_access=['read']\nparent = ['${HOM}']",
        6,
        "path_beneath[1].parent[0]",
        "no variable 'HOM'",
        "HOME",
    ),
    (RULE + "[[path_beneath]]\ndenied_access=['read']\nparent = ['/${x']", 6, "path_beneath[1].parent[0]", "no }", "close it"),
    (
        RULE + "[[path_beneath]]\ndenied_access=['read']\nparent = ['${USER}']",
        6,
        "path_beneath[1].parent[0]",
        "USER is not set",
        "set USER",
    ),
    (
        "[[variable]]\nname = 'x'\n" + RULE + "[[path_beneath]]\ndenied_access=['read']\nparent = ['/${x}']",
        8,
        "path_beneath[1].parent[0]",
        "no path, so nothing would be denied",
        "literal",
    ),
    ("[[variable]]\nname = '1x'\n" + RULE, 2, "variable[0].name", "'1x' does not fit", "an ASCII letter"),
    ("[[variable]]\nname = 'x'\nliteral = []\n" + RULE, 3, "variable[0].literal", "is empty", "at least one"),
    # Names and commands.
    (RULE + "name = ['*.pem']", 3, "path_beneath[0].parent[0]", "names only deny", "leave out name"),
    *(
        (DENIAL + f"name = ['{text}']", 4, "path_beneath[0].name[0]", what, "one * at most")
        for text, what in (
            ("", "is not a name"),
            ("..", "is not a name"),
            ("a/b", "is not a name"),
            ("*", "every name"),
            ("*.*", "more than one *"),
            ("x" * 256, "255 bytes"),
            ("id_??", "has a ?, and only * stands"),
            ("*.[ch]", "has a [, and only * stands"),
            ("*.{pem,key}", "has a {, and only * stands"),
            ("a\\b", "a \\ stands for nothing there"),
        )
    ),
    (DENIAL + "name = '*.pem'", 4, "path_beneath[0].name", "is not an array of names", "['*.pem']"),
    (
        DENIAL + "ioctl_commands = [1]",
        3,
        "path_beneath[0].parent[0]",
        "neither allows nor denies ioctl",
        "add the action ioctl",
    ),
    (IOCTL + "['TIOCST']", 4, "path_beneath[0].ioctl_commands[0]", "not a command that is known", "did you mean TIOCSTI?"),
    (IOCTL + "1", 4, "path_beneath[0].ioctl_commands", "is not an array of ioctl commands", "in brackets: [1]"),
    (DENIAL + "name = {}", 4, "path_beneath[0].name", "is not an array of names", "write an array of names"),
    (IOCTL + "[-1]", 4, "path_beneath[0].ioctl_commands[0]", "-1 is no ioctl command", "0xffffffff"),
    (IOCTL + "[true]", 4, "path_beneath[0].ioctl_commands[0]", "True is not", "a string or an integer"),
    # Limits.
    (
        RULE.replace('"/x"', ", ".join(f'"/{number}"' for number in range(10_001))),
        0,
        "",
        "has more rules than the 10000 of a policy",
        "one rule on a directory",
    ),
]


@pytest.mark.parametrize(
    ("text", "line", "key", "what", "remedy"), MISTAKES, ids=[f"{row[2]}-{row[3]}"[:60] for row in MISTAKES]
)
def test_mistakes(tmp_path: Path, text: str, line: int, key: str, what: str, remedy: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(errors.PolicyError) as caught:
        policy.load(path, {"HOME": "/home/u"})
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.key) == (str(path), line, key)
    assert what in problem.what
    assert remedy in problem.remedy


def test_all_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    lines = [text for text, *_ in MISTAKES if text.startswith(RULE + "denied_access")]
    path.write_text("nam = 'x'\nabi = 0\n" + "".join(text + "\n" for text in lines) + "[[net_port]]\n")
    with pytest.raises(errors.PolicyError) as caught:
        policy.load(path, {})
    problems = caught.value.problems
    assert len(problems) == 3 + len(lines)
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)
    assert all(problem.line and problem.remedy for problem in problems)
    assert str(caught.value).splitlines()[0] == f"{path}:1: nam: is not a key of a policy; did you mean name?"


STAGES = """\
default = "deny"
[[path_beneath]]
allowed_access = ["raed"]
parent = ["/etc/passwd", "/nosuch/a"]
[[path_beneath]]
allowed_access = ["read"]
parent = ["/nosuch/b", "etc"]
[[path_beneath]]
allowed_access = "ioctl"
ioctl_commands = [1]
parent = ["/dev/null"]
[[path_beneath]]
allowed_access = ["ioct"]
ioctl_commands = [1]
parent = ["/dev/null"]
[[path_beneath]]
allowed_access = ["read"]
name = ["*.pem"]
parent = ["/etc"]
[[path_beneath]]
allowed_access = ["read_dir"]
parent = ["/etc/passwd"]
"""
# Of each mistake the line, and a word.
WORDS = [(3, "'raed'"), (7, "'etc'"), (9, "array of action names"), (13, "'ioct'")]
FIT, PATHS = [(19, "names only deny")], [(7, "/nosuch/b does not exist"), (22, "read_dir is asked of directories")]


def test_words_and_what_does_not_fit_are_told_together(tmp_path: Path) -> None:
    """What is wrong with a word makes no second mistake of its rule, nor of what is handled."""
    path = tmp_path / "x.toml"
    path.write_text(STAGES)
    with pytest.raises(policy.UnfitError) as caught:
        policy.load(path, {})
    _are(caught.value.problems, WORDS + FIT)
    assert caught.value.rest
    assert [rule.location.line for rule in caught.value.rest.rules] == [7, 22]


@pytest.mark.parametrize("mended", [False, True])
def test_check_tells_of_paths_too(tmp_path: Path, capsys: pytest.CaptureFixture[str], mended: bool) -> None:
    path = tmp_path / "x.toml"
    text = STAGES
    if mended:
        for old, new in (("/nosuch/a", "/"), ("raed", "read"), ('"etc"', '"/"'), ('"ioctl"', '["ioctl"]'), ('ioct"', 'ioctl"')):
            text = text.replace(old, new)
    path.write_text(text)
    assert cli.main(["check", str(path)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    expected = sorted(([] if mended else WORDS) + FIT + PATHS)
    lines = told.err.splitlines()
    assert [int(line.split(":")[2]) for line in lines] == [line for line, _ in expected]
    assert all(any(f":{number}: " in line and word in line for line in lines) for number, word in expected)


def test_a_permission_for_what_nothing_denies_may_be_on_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It changes nothing; what is missing is a mistake all the same."""
    path = tmp_path / "x.toml"
    text = 'default = "allow"\n' + DENIAL.replace("/x", "/") + RULE.replace("read", "write")
    path.write_text(text.replace("/x", "/etc/passwd"))
    assert cli.main(["check", str(path)]) == 0
    assert "/etc/passwd  changes nothing  (" in capsys.readouterr().out
    path.write_text(text.replace("/x", "/nosuch"))
    assert cli.main(["check", str(path)]) == 1
    assert "/nosuch does not exist, and only what exists can be allowed" in capsys.readouterr().err


def _are(problems: Sequence[errors.Problem], expected: list[tuple[int, str]]) -> None:
    expected = sorted(expected)
    assert [problem.line for problem in problems] == [line for line, _ in expected]
    assert all(word in problem.what for problem, (_, word) in zip(problems, expected))


def test_a_wrong_abi_is_reported_once(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("abi = 0\n[[ruleset]]\nhandled_access_fs = ['abi.all']\n")
    with pytest.raises(errors.PolicyError) as caught:
        policy.load(path, {})
    assert [problem.key for problem in caught.value.problems] == ["abi"]


def test_json_problems_use_its_spelling(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(
        '{"pathBeneath": [\n{"allowedAccess": ["read"],\n"parent": ["\\ud800"]},\n'
        '{"parent": ["/"], "allowed_access": ["read"]}],\n"ruleset": "x"}'
    )
    with pytest.raises(errors.PolicyError) as caught:
        policy.load(path, {})
    assert [(problem.line, problem.key) for problem in caught.value.problems] == [
        (3, "pathBeneath[0].parent[0]"),
        (4, "pathBeneath[1]"),
        (4, "pathBeneath[1].allowed_access"),
        (5, "ruleset"),
    ]
    assert "put tables in brackets: [{ ... }]" in str(caught.value)
    assert "did you mean allowedAccess?" in str(caught.value)
    str(caught.value).encode()


def test_no_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.toml"
    path.write_text("[[path_beneath]]\nallowed_access = ['read']\nparent = ['.', '${PWD}']")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    os.rmdir(gone)
    with pytest.raises(errors.PolicyError) as caught:
        policy.load(path, {})
    assert ["not an absolute path" in problem.what or "not set" in problem.what for problem in caught.value.problems] == [
        True,
        True,
    ]


def test_messages() -> None:
    assert str(errors.Problem("f", 3, "k", "is wrong", "mend it")) == "f:3: k: is wrong; mend it"
    assert str(errors.Problem("f", 0, "", "is wrong", "")) == "f: is wrong"
    kernel = errors.KernelError("create the map", "fsview", 1, "be root")
    assert str(kernel) == "cannot create the map fsview: Operation not permitted (EPERM); be root"
    assert (kernel.errno, kernel.name) == (1, "EPERM")
    assert str(errors.UnsupportedError("no BPF LSM", "boot with lsm=bpf")) == "no BPF LSM; boot with lsm=bpf"
    assert str(errors.VerifierError("too long", "log")) == "too long"
    assert str(errors.CompileError("clang failed", "error: x")) == "clang failed\nerror: x"
