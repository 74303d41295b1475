# SPDX-License-Identifier: GPL-2.0-only
"""`learn`: what a command did once becomes a policy under which it can do it again, and little else."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from test_run import run

from landlock_bpf import policy
from landlock_bpf.abi import Action

pytestmark = pytest.mark.usefixtures("cleared", "live")
COMPILER = next(filter(None, map(shutil.which, ("clang", "cc", "gcc"))), None)


def script(tree: Path, text: str) -> tuple[str, ...]:
    return "sh", "-c", text.replace("TREE", str(tree))


COMMANDS: dict[str, Callable[[Path], tuple[str, ...]]] = {
    "ls": lambda tree: ("ls", "-l", str(tree)),
    "python": lambda tree: (sys.executable, "-c", f"import json, os; print(json.dumps(sorted(os.listdir({str(tree)!r}))))"),
    "pipeline": lambda tree: script(tree, "cat TREE/*.txt | sort -u | tee TREE/sorted | wc -l; rm TREE/sorted"),
    "moves": lambda tree: script(
        tree, "mkdir TREE/made; echo x >TREE/made/x; mv TREE/made/x TREE/y; ln TREE/y TREE/z; rm -r TREE/made TREE/y TREE/z"
    ),
    "over": lambda tree: script(tree, "echo x >TREE/new; mv -f TREE/new TREE/old/there; ls TREE/old; echo done >TREE/log"),
    "proc": lambda tree: script(
        tree, "cat /proc/self/status | grep -c NoNew; wc -l </proc/meminfo >/dev/null; echo $? >/dev/null"
    ),
    "compile": lambda tree: (str(COMPILER), "-c", str(tree / "main.c"), "-o", str(tree / "main.o")),
}


def populate(tree: Path) -> None:
    for number in range(6):
        (tree / f"{number}.txt").write_text(f"{number % 3}\n")
    (tree / "old").mkdir()
    (tree / "old" / "there").write_text("")
    (tree / "main.c").write_text("#include <stddef.h>\nsize_t one(void) { return 1; }\n")
    (tree / "secret").mkdir()
    (tree / "secret" / "key").write_text("")


@pytest.mark.parametrize("name", COMMANDS)
def test_runs_under_what_was_learned(name: str, tree: Path, listed: Callable[[], list[str]]) -> None:
    if name == "compile" and COMPILER is None:
        pytest.skip("no compiler in this guest: install clang on the host")
    work, learned = tree / "work", tree / "learned.toml"
    work.mkdir()
    populate(work)
    command = COMMANDS[name](work)
    status, out, err = run("learn", "-o", learned, "--", *command)
    assert (status, err) == (0, "")
    told = learned.read_text()
    assert told.startswith("# Learned from: ")
    assert not listed()
    for _ in range(2):
        assert run("run", "-p", learned, "--", *command) == (status, out, err), told
    (made,) = policy.load(learned)
    assert len(made.rules) < 25, told
    assert not any(rule.path == "/" for rule in made.rules), told
    # Not more than that: what lies beside stays closed.
    assert run("run", "-p", learned, "--", "cat", "/etc/shadow")[0] == 1
    if name in ("ls", "python"):
        assert run("run", "-p", learned, "--", "cat", work / "secret" / "key")[0] == 1


def test_merge(tree: Path) -> None:
    """Rules are added to the text that was reviewed, and what it denies stays denied."""
    for name in ("a", "b", "secret"):
        (tree / name).mkdir()
        (tree / name / "file").write_text(f"{name}\n")
    learned, merged = tree / "learned.toml", tree / "merged.toml"
    assert run("learn", "-o", learned, "--", "cat", tree / "a" / "file") == (0, "a\n", "")
    status, _, err = run("learn", "-o", learned, "--", "cat", tree / "b" / "file")
    assert status == 125 and f"--merge {learned}" in err
    learned.write_text(
        f"# reviewed\n{learned.read_text()}\n[[path_beneath]]\ndenied_access = ['all']\nparent = ['{tree}/secret']\n"
    )
    status, out, err = run(
        "learn", "--merge", learned, "-o", merged, "--", "cat", tree / "b" / "file", tree / "secret" / "file"
    )
    assert (status, out) == (0, "b\nsecret\n")
    assert "stays denied: " in err and f"{tree}/secret/file" in err and f"{learned}:" in err
    assert merged.read_text().startswith(learned.read_text().rstrip())
    (before,), (after,) = (policy.load(path) for path in (learned, merged))
    assert (before.handled, before.default) == (after.handled, after.default)
    assert [rule.path for rule in after.rules[len(before.rules) :]] == [str(tree / "b" / "file")]
    for name, expected in (("a", 0), ("b", 0), ("secret", 1)):
        assert run("run", "-p", merged, "--", "cat", tree / name / "file")[0] == expected
    assert run("learn", "--merge", merged, "-o", merged, "--", "cat", tree / "a" / "file") == (0, "a\n", "")
    assert run("run", "-p", merged, "--", "cat", tree / "b" / "file")[0] == 0


def test_own_failures(tree: Path) -> None:
    status, _, err = run("learn", "-o", tree / "p.toml", "--", "no-such-program")
    assert status == 127 and "Traceback" not in err and not (tree / "p.toml").exists()
    assert run("learn", "-o", tree / "p.toml", "--", "sh", "-c", "exit 3")[0] == 3
    assert (tree / "p.toml").exists()


def test_other_actions(tree: Path) -> None:
    """Also those that no group of Landlock's has."""
    (tree / "file").write_text("")
    learned = tree / "learned.toml"
    command = ("chmod", "600", tree / "file")
    assert run("learn", "-o", learned, "--handle", "write_metadata,read", "--", *command)[0] == 0
    (made,) = policy.load(learned)
    said = {rule.path: rule.allowed for rule in made.rules}
    assert said[str(tree / "file")] == Action.CHMOD
    assert run("run", "-p", learned, "--", *command)[::2] == (0, "")
    assert run("run", "-p", learned, "--", "chmod", "600", learned)[0] == 1
