# SPDX-License-Identifier: GPL-2.0-only
"""lab without a container: the host's files, what steps come to, what the experiment makes of that, and how it is shown."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from pathlib import Path

import pytest
import test_documents

from landlock_bpf import errors, policy
from landlock_bpf.lab import bundle, escape, guard, host, report, step

ROOT = Path(__file__).parents[2]
STEPS = {each.name: each for each in step.STEPS}


@pytest.fixture
def victim(tmp_path: Path) -> host.Host:
    return host.make(tmp_path / "host")


def test_every_step_comes_about_where_nothing_is_in_its_way(victim: host.Host, tmp_path: Path) -> None:
    if os.geteuid() or not bundle.BUSYBOX.exists():
        pytest.skip("root and busybox: the container has both")
    for name in ("out", "proc/self"):
        (tmp_path / name).mkdir(parents=True)
    root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    text = step.script(victim, root, str(tmp_path))
    subprocess.run([bundle.BUSYBOX, "sh", "-c", text], cwd="/", check=True, pass_fds=[root])
    os.close(root)
    found = {name: escape.judge(each, victim, tmp_path / "out") for name, each in STEPS.items()}
    assert {name: outcome for name, outcome in found.items() if outcome.result != escape.ALLOWED} == {}


@pytest.mark.parametrize("name", [name for name, each in STEPS.items() if each.files == step.HOST and each.happened])
def test_a_step_that_only_says_it_succeeded_has_not(name: str, victim: host.Host, tmp_path: Path) -> None:
    write(tmp_path, name, "", 0)
    assert escape.judge(STEPS[name], victim, tmp_path).result == escape.FAILED


def write(out: Path, name: str, printed: str, status: int) -> None:
    (out / name).write_text(printed)
    (out / f"{name}.status").write_text(f"{status}\n")


@pytest.mark.parametrize(
    ("printed", "status", "result", "errno"),
    [
        ("chown: x: Permission denied\n", 1, escape.REFUSED, "EACCES"),
        ("chown: x: Operation not permitted\n", 1, escape.REFUSED, "EPERM"),
        ("chown: x: Read-only file system\n", 1, escape.FAILED, "EROFS"),
        ("chown: not found\n", 127, escape.FAILED, None),
        ("chown: x: Permission denied\n", 0, escape.FAILED, "EACCES"),
    ],
)
def test_outcome(printed: str, status: int, result: str, errno: str | None, victim: host.Host, tmp_path: Path) -> None:
    write(tmp_path, "chown", printed, status)
    outcome = escape.judge(STEPS["chown"], victim, tmp_path)
    assert (outcome.result, outcome.errno) == (result, errno)


def test_a_step_that_failed_after_it_came_about_was_not_stopped(victim: host.Host, tmp_path: Path) -> None:
    (victim.folder / "made").touch()
    write(tmp_path, "create", "sh: x: Permission denied\n", 1)
    assert escape.judge(STEPS["create"], victim, tmp_path).result == escape.FAILED


def test_a_step_without_a_trace_is_an_error(victim: host.Host, tmp_path: Path) -> None:
    with pytest.raises(errors.Error, match="before the step chown"):
        escape.judge(STEPS["chown"], victim, tmp_path)


def experiment(changes: dict[tuple[str, str], escape.Outcome] | None = None, **missing: str) -> escape.Experiment:
    """Make an experiment that went as it is to go, but for some cells."""
    done, refused = escape.Outcome(escape.ALLOWED, None, ""), escape.Outcome(escape.REFUSED, "EACCES", "x: Permission denied")
    stopped = {"bare": set(), "landlock": {"read"}, "bpf": {each.name for each in step.STEPS if each.files == step.HOST}}
    outcomes = {
        name: {each: (changes or {}).get((name, each), refused if each in stopped[name] else done) for each in STEPS}
        for name in stopped
        if name not in missing
    }
    return escape.Experiment("crun 1", outcomes, missing)


def test_what_the_system_calls_stop_is_no_problem() -> None:
    assert list(experiment().problems()) == []
    assert [each.name for each in experiment().stopped("landlock")] == ["read"]
    assert "chown" in [each.name for each in experiment().let_through("landlock")]


@pytest.mark.parametrize(
    ("name", "step", "result"),
    [
        ("bare", "read", escape.REFUSED),
        ("bpf", "chown", escape.ALLOWED),
        ("bpf", "chown", escape.FAILED),
        ("bpf", "own-write", escape.REFUSED),
        ("landlock", "own-write", escape.REFUSED),
        ("landlock", "read", escape.FAILED),
    ],
)
def test_problem(name: str, step: str, result: str) -> None:
    (problem,) = experiment({(name, step): escape.Outcome(result, None, "words")}).problems()
    assert problem.startswith(f"{step} under {name} should have been ")


def test_a_guard_that_is_missing_is_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    found = experiment(bpf="no BTF; boot another kernel")
    assert list(found.problems()) == ["bpf could not be tried: no BTF; boot another kernel"]
    assert found.stopped("bpf") == found.let_through("bpf") == []
    report.print_report(found)
    assert "done\n" in capsys.readouterr().out


def test_what_cannot_be_set_up_takes_no_other_guard_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(escape.runtime.Runtime, "__init__", lambda self, state: None)
    monkeypatch.setattr(escape.runtime.Runtime, "version", lambda self: "crun 1")

    def run_under(each: guard.Guard, containers: object, folder: Path) -> dict[str, escape.Outcome]:
        if each.name == "landlock":
            raise errors.CompileError("clang refuses it")
        return {name: escape.Outcome(escape.ALLOWED, None, "") for name in STEPS}

    monkeypatch.setattr(escape, "_run_under", run_under)
    found = escape.run([dataclasses.replace(each, missing=lambda: None) for each in guard.GUARDS])
    assert found.missing == {"landlock": "clang refuses it"}
    assert list(found.outcomes) == ["bare", "bpf"]


def test_report_has_every_step_and_says_what_was_let_through(capsys: pytest.CaptureFixture[str]) -> None:
    report.print_report(experiment())
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[-3:] for line in out.splitlines() if line.split()[:1] and line.split()[0] in STEPS}
    assert rows.keys() == STEPS.keys()
    assert rows["read"] == ["done", "EACCES", "EACCES"]
    assert rows["chown"] == ["done", "done", "EACCES"]
    assert "let through: stat, list, chdir" in out


def test_document_has_all_that_was_seen() -> None:
    found = json.loads(json.dumps(report.document(experiment())))
    assert found["format"] == report.FORMAT
    cells = {row["name"]: row["cells"] for row in found["steps"]}
    assert cells["read"]["landlock"] == {"result": "refused", "errno": "EACCES", "printed": "x: Permission denied"}
    assert [each["name"] for each in found["mechanisms"]] == ["bare", "landlock", "bpf"]
    assert found["policy"]["text"] == guard.policy_file().read_text()


def test_policy_speaks_of_the_container_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (read,) = policy.load(guard.policy_file(), {})
    assert [rule.path for rule in read.rules] == [str(tmp_path / "rootfs")]
    assert read.default == "deny"


def test_bundle_starts_in_the_leaked_directory(tmp_path: Path) -> None:
    bundle.configure(tmp_path, ("/bin/sh",), "/proc/self/fd/3", "/group")
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["process"]["cwd"] == "/proc/self/fd/3"
    assert "CAP_SYS_ADMIN" not in str(config)


def test_the_document_has_every_step() -> None:
    told = test_documents.table((ROOT / "docs" / "LAB.md").read_text(), "step", "what is tried", "bare", "landlock", "bpf")
    assert [row[:2] for row in told] == [(f"`{each.name}`", each.text) for each in step.STEPS]
