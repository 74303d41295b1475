# SPDX-License-Identifier: GPL-2.0-only
"""The measured operations, compiled and done to real files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from landlock_bpf import errors, program
from landlock_bpf.bench import binaries, cases, empty, operations, tree, workload

DEPTH = cases.BASE.depth


@pytest.fixture(scope="module")
def loop() -> workload.Workload:
    library, alone = (binaries.compile(each) for each in (binaries.LIBRARY, binaries.PROGRAM))
    return workload.Workload(library, alone, budget=100_000)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make what operations are done to, and give all that is there."""
    monkeypatch.chdir(tmp_path)
    tree.fill(DEPTH, binaries.compile(binaries.NOTHING), operations.PAGES)
    return everything(tmp_path)


def everything(folder: Path) -> list[str]:
    return sorted(map(str, folder.rglob("*")))


def test_binaries_are_compiled_once() -> None:
    for each in binaries.BINARIES:
        first = binaries.compile(each)
        made = first.stat().st_mtime_ns
        assert binaries.compile(each) == first
        assert first.stat().st_mtime_ns == made


@pytest.mark.parametrize("operation", operations.OPERATIONS, ids=lambda each: each.name)
def test_operation_can_be_done_over_and_over(
    operation: operations.Operation, loop: workload.Workload, files: list[str], tmp_path: Path
) -> None:
    sample = loop.sample(
        operation.function, [operation.subject(DEPTH)], workload.Way(), times=operation.times, batch=operation.batch
    )
    assert 0 < sample.low <= sample.median <= sample.high
    assert sample.operations >= operation.batch * workload.LEAST_BATCHES
    assert everything(tmp_path) == files


def test_program_does_the_same(loop: workload.Workload, files: list[str], tmp_path: Path) -> None:
    (create,) = (each for each in operations.OPERATIONS if each.name == "create")
    sample = loop.sample(create.function, [create.subject(DEPTH)], workload.Way(prefix=("env",)))
    assert 0 < sample.low <= sample.median <= sample.high
    assert everything(tmp_path) == files


def test_operation_that_fails_is_an_error(loop: workload.Workload, tmp_path: Path) -> None:
    with pytest.raises(errors.Error, match="No such file"):
        loop.sample("open", [(str(tmp_path / "none"), "", "")], workload.Way())


def test_operation_that_is_unknown_is_an_error(loop: workload.Workload, tmp_path: Path) -> None:
    with pytest.raises(errors.Error, match="not implemented"):
        loop.sample("none", [(str(tmp_path), "", "")], workload.Way())


def test_program_that_fails_is_an_error(loop: workload.Workload, tmp_path: Path) -> None:
    with pytest.raises(errors.Error, match="status"):
        loop.sample("open", [(str(tmp_path / "none"), "", "")], workload.Way(prefix=("env",)))


def test_mechanism_that_fails_is_an_error(loop: workload.Workload, tmp_path: Path) -> None:
    def enter() -> None:
        raise errors.UnsupportedError("no mechanism", "get one")

    with pytest.raises(errors.Error, match="no mechanism"):
        loop.sample("open", [(str(tmp_path), "", "")], workload.Way(enter))


def test_rules_of_a_layer_are_as_many_as_asked_for() -> None:
    assert [len(binaries.rules(count).rules) for count in binaries.RULES] == [1, 8]


def test_each_hook_of_an_operation_has_an_empty_program() -> None:
    with program.Object.open_file(empty.compile()) as programs:
        asked = {hook for operation in operations.OPERATIONS for hook in operation.hooks}
        assert set(programs.program_names()) == {empty.PROGRAM + hook for hook in asked}


def test_program_that_is_executed_ends_at_once() -> None:
    subprocess.run([binaries.compile(binaries.NOTHING)], check=True, timeout=10)
