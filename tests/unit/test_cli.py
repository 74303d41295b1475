# SPDX-License-Identifier: GPL-2.0-only
"""cli: usage, the error boundary, and what is loaded when; the kernel is not asked."""

from __future__ import annotations

import argparse
import errno
import json
import os
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from landlock_bpf import cli, errors, launch

ROOT = Path(__file__).parents[2]
FAKE = "landlock_bpf.cli.fake"


def landlock_bpf(*words: str, stdout: int = subprocess.PIPE, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "landlock_bpf", *words]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environ}, stderr=subprocess.PIPE, stdout=stdout, encoding="utf-8", timeout=60,
        check=False,
    )  # fmt: skip


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """Give a subcommand whose main the test sets."""
    module = types.ModuleType(FAKE, "A fake.")
    module.EXAMPLES = ""
    module.add_arguments = lambda parser: parser.add_argument("--option")
    monkeypatch.setitem(sys.modules, FAKE, module)
    monkeypatch.setitem(cli.SUBCOMMANDS, "fake", cli.Subcommand("fake", "nothing"))
    yield module


def raising(error: BaseException) -> Callable[[argparse.Namespace], int]:
    def main(args: argparse.Namespace) -> int:
        raise error

    return main


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["no-such-subcommand"],
        ["run"],
        ["run", "--"],
        ["run", "--no-such-option", "--", "true"],
        ["run", "--", "true"],
        ["attach", "-p", "x.toml", "--name", "n"],
        ["attach", "--cgroup", "/sys/fs/cgroup", "--name", "n"],
        ["update", "n"],
        ["update", "n", "-p", "README.md", "--view", "trees=ro:/"],
        ["run", "--ro", "/", "--view", "trees=ro:/", "--", "true"],
        ["run", "-r", "x.c", "--loader", "gcc", "--", "true"],
        ["learn", "-o", "x.toml", "--fold", "-1", "--", "true"],
        ["compare", "--only", ","],
        ["bench", "--load", "x.json", "--quick"],
        ["bench", "--check", "x.md", "--json", "y.json"],
        ["detach"],
        ["check"],
        ["list", "extra"],
        ["unload", "--js"],
    ],
)
def test_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        cli.main(words)
    assert exit.value.code == 2
    assert "usage: landlock-bpf" in capsys.readouterr().err


@pytest.mark.parametrize("name", cli.SUBCOMMANDS)
def test_help_of_each_subcommand(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        cli.main([name, "--help"])
    assert exit.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: landlock-bpf {name} ")
    assert f"landlock-bpf {name}" in out.partition("example")[2] or name == "bench"


def test_help_lists_each_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        cli.main(["--help"])
    assert exit.value.code == 0
    out = capsys.readouterr().out
    assert all(f"\n  {row.name} " in out and row.summary in out for row in cli.SUBCOMMANDS.values())


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (errors.NotFoundError("there is no domain x; see landlock-bpf list"), 1, "there is no domain x; see landlock-bpf list"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x"), 1, "x: No such file or directory (ENOENT)"),
        (launch.LaunchError("cannot execute x", 126), 126, "cannot execute x"),
        (KeyboardInterrupt(), 130, None),
    ],
)
def test_errors_are_printed_once(
    fake: types.ModuleType, capsys: pytest.CaptureFixture[str], error: BaseException, status: int, words: str | None
) -> None:
    fake.main = raising(error)
    assert cli.main(["fake"]) == status
    assert capsys.readouterr().err == (f"landlock-bpf: {words}\n" if words else "")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (
            ("convert", "policies/read-only-system.toml", "--to", "toml", "-o", "/nosuch/x.toml"),
            "No such file or directory (ENOENT)",
        ),
        (("convert", "policies/read-only-system.toml", "--to", "toml", "-o", "/tmp"), "Is a directory (EISDIR)"),
        (("learn", "-o", "/nosuch/x.toml", "--", "true"), "No such file or directory (ENOENT)"),
        (("learn", "--merge", "/tmp", "-o", "/tmp", "--", "true"), "Is a directory (EISDIR)"),
        (("compare", "--html", "/nosuch/x.html"), "No such file or directory (ENOENT)"),
        (("compare", "--json", "/nosuch/x.json"), "No such file or directory (ENOENT)"),
        (("bench", "--json", "/nosuch/x.json"), "No such file or directory (ENOENT)"),
    ],
)
def test_what_cannot_be_written_is_told_first(words: tuple[str, ...], what: str) -> None:
    done = landlock_bpf(*words)
    path = next(word for word in words if word.startswith(("/nosuch", "/tmp")))
    remedy = "name a file in a folder that is there and yours to write to"
    assert done.stderr == f"landlock-bpf: cannot write {path}: {what}; {remedy}\n"


def test_each_line_of_an_error_is_marked(fake: types.ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    fake.main = raising(errors.PolicyError([errors.Problem("p", line, "k", "is wrong", "") for line in (1, 2)]))
    assert cli.main(["fake"]) == 1
    assert capsys.readouterr().err == "landlock-bpf: p:1: k: is wrong\nlandlock-bpf: p:2: k: is wrong\n"


def test_a_newline_in_a_name_begins_no_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a\nb\u2028c.toml"
    assert cli.main(["check", str(file)]) == 1
    shown = f"{tmp_path}/a\\nb\\u2028c.toml"
    told = f"landlock-bpf: {shown}: cannot be read: No such file or directory; name a policy file that you may read\n"
    assert capsys.readouterr().err == told
    file.write_text('[[path_beneath]]\nallowed_access = ["read"]\nparent = ["/no\\nsuch"]')
    assert cli.main(["check", str(file)]) == 1
    assert capsys.readouterr().err.startswith(f"landlock-bpf: {shown}:3: path_beneath[0].parent[0]: /no\\nsuch does not exist")


def test_what_a_right_policy_may_not_mean_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.toml"
    file.write_text(f'[[path_beneath]]\ndenied_access = ["read"]\nparent = ["{tmp_path}/*.key"]')
    assert cli.main(["check", str(file)]) == 0
    assert capsys.readouterr().err.startswith(f"landlock-bpf: {tmp_path}/*.key is not there, and in a path each character")


def test_a_defect_is_not_hidden(fake: types.ModuleType) -> None:
    fake.main = raising(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        cli.main(["fake"])


def test_without_root(fake: types.ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fake.main = lambda args: cli.require_root()
    monkeypatch.setitem(cli.SUBCOMMANDS, "fake", cli.Subcommand("fake", "nothing", failure=125))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "argv", ["/usr/lib/landlock_bpf/__main__.py", "fake", "--option", "a b"])
    assert cli.main(["fake", "--option", "a b"]) == 125
    assert capsys.readouterr().err == "landlock-bpf: this needs root: sudo landlock-bpf fake --option 'a b'\n"


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["--option", "1", "--", "ls", "-l"], ["ls", "-l"]),
        (["--option", "1", "ls", "-l"], ["ls", "-l"]),
        (["ls", "--option", "1"], ["ls", "--option", "1"]),
        (["--", "--option"], ["--option"]),
        (["--", "sh", "-c", "x", "--", "y"], ["sh", "-c", "x", "--", "y"]),
        (["git", "checkout", "--", "file"], ["git", "checkout", "--", "file"]),
    ],
)
def test_a_command_is_taken_as_it_is(
    fake: types.ModuleType, monkeypatch: pytest.MonkeyPatch, words: list[str], command: list[str]
) -> None:
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--option")
        parser.add_argument("command", nargs=argparse.REMAINDER)

    seen: list[list[str]] = []
    fake.add_arguments = add_arguments
    fake.main = lambda args: seen.append(args.command) or 0
    monkeypatch.setitem(cli.SUBCOMMANDS, "fake", cli.Subcommand("fake", "nothing", command=True))
    assert cli.main(["fake", *words]) == 0
    assert seen == [command]


def test_closed_pipe_is_quiet() -> None:
    read, write = os.pipe()
    os.close(read)
    result = landlock_bpf("check", str(ROOT / "policies" / "read-only-system.toml"), stdout=write)
    os.close(write)
    assert (result.returncode, result.stderr) == (1, "")


@pytest.mark.parametrize("words", [["check", "--help"], ["--help"], ["--version"], ["check", "policies/read-only-system.toml"]])
def test_a_full_stdout_is_told(words: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        result = landlock_bpf(*words, stdout=full.fileno())
    assert (result.returncode, result.stderr) == (1, "landlock-bpf: [Errno 28] No space left on device\n")


LAUNCHING = """\
import sys, types
from landlock_bpf import cli, launch

class Nothing:
    def enter(self):
        pass

def main(args):
    with launch.held_signals() as mask:
        print("something", flush=True)
        return launch.end_like(launch.run(args.command, Nothing(), mask=mask))

fake = types.ModuleType("landlock_bpf.cli.fake", "A fake.")
fake.EXAMPLES, fake.main = "", main
fake.add_arguments = lambda parser: parser.add_argument("command", nargs="*")
sys.modules[fake.__name__] = fake
cli.SUBCOMMANDS["fake"] = cli.Subcommand("fake", "nothing", command=True)
sys.exit(cli.main(["fake", *sys.argv[1:]]))
"""


@pytest.mark.parametrize("closed", [[1], [2], [0, 1, 2]])
def test_a_command_gets_what_is_closed_as_it_is(closed: list[int]) -> None:
    """And what it ends with is told all the same."""
    tried = "; ".join(f"test ! -e /proc/self/fd/{number} || exit 3" for number in closed)
    redirected = " ".join(f"{number}>&-" for number in closed)
    words = ["sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-c", LAUNCHING, "--", "sh", "-c", f"{tried}; exit 7"]
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (7, "" if 1 in closed else "something\n", "")


@pytest.mark.parametrize(
    ("words", "closed", "expected"),
    [
        (["check", "policies/read-only-system.toml"], ">&-", (0, "", "")),
        (["convert", "policies/read-only-system.toml", "--to", "toml"], ">&-", (0, "", "")),
        (["check", "--help"], ">&-", (0, "", "")),
        (["check", "no-such-file"], "2>&-", (1, "", "")),
    ],
)
def test_what_is_closed_is_not_missed(words: list[str], closed: str, expected: tuple[int, str, str]) -> None:
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "landlock_bpf", *words]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout, result.stderr) == expected


def test_check_tells_a_policy(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(f'[[path_beneath]]\nparent = ["{tmp_path}"]\nallowed_access = ["read_file"]\n')
    result = landlock_bpf("check", str(file))
    assert (result.returncode, result.stderr) == (0, "")
    assert str(tmp_path) in result.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_names_that_stdout_cannot_show(encoding: str, tmp_path: Path) -> None:
    """People read escapes; programs JSON, and policies in UTF-8, as files are."""
    folder = tmp_path / "\u0142"
    folder.mkdir()
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    for path, action in ((one, "read_file"), (other, "read_dir")):
        path.write_text(f'[[path_beneath]]\nparent = ["{folder}"]\nallowed_access = ["{action}"]\n', encoding="utf-8")

    def told(*words: str) -> str:
        result = landlock_bpf(*words, PYTHONIOENCODING=encoding)
        assert result.stderr == ""
        return result.stdout

    shown = str(folder) if encoding == "utf-8" else f"{tmp_path}/\\u0142"
    assert shown in told("check", str(one))
    assert shown in told("diff", str(one), str(other))
    assert str(folder) in str(json.loads(told("diff", "--json", str(one), str(other))))
    assert str(folder) in told("convert", str(one), "--to", "toml")


def test_check_tells_all_mistakes_of_all_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text("nonsense = 1\n[[path_beneath]]\nwrong = 2\n")
    result = landlock_bpf("check", str(tmp_path / "a.toml"), str(tmp_path / "b.toml"))
    assert (result.returncode, result.stdout) == (1, "")
    for name in ("a", "b"):
        assert f"landlock-bpf: {tmp_path}/{name}.toml:1: nonsense: " in result.stderr
        assert f"landlock-bpf: {tmp_path}/{name}.toml:3: " in result.stderr


def test_check_looks_paths_up(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text('[[path_beneath]]\nparent = ["/no/such/place"]\nallowed_access = ["read_file"]\n')
    result = landlock_bpf("check", str(file))
    assert result.returncode == 1
    assert "p.toml:2: path_beneath[0].parent[0]: /no/such/place does not exist" in result.stderr


SLOW = {"jinja2", "rich", "json", "subprocess", "tomllib", "ctypes", "landlock_bpf.policy", "landlock_bpf.controller"}


def test_only_what_is_needed_is_loaded() -> None:
    code = "import sys; from landlock_bpf import cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not SLOW & set(loaded)


def test_of_other_tools_forms_only_what_is_needed_is_loaded() -> None:
    code = "import sys; from pathlib import Path; from landlock_bpf import policy; policy.load(Path(sys.argv[1]), {}); "
    code += "print(*sys.modules)"
    words = [sys.executable, "-c", code, "policies/read-only-system.toml"]
    loaded = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert "landlock_bpf.policy_forms" in loaded
    others = {f"landlock_bpf.policy_{name}" for name in ("oci", "setpriv", "landrun", "sandboxer", "difference")}
    assert not others & set(loaded)
