# SPDX-License-Identifier: GPL-2.0-only
"""The bench without an engine: what it counts, what it makes of its figures, and what it writes of them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import kernels
import pytest

from landlock_bpf import abi, cli, errors
from landlock_bpf.bench import (
    cases,
    changes,
    clock,
    document,
    measurement,
    mechanisms,
    memory,
    operations,
    page,
    report,
    results,
    startup,
    targets,
    tree,
    workload,
)

PERFORMANCE = Path(__file__).resolve().parents[2] / "docs" / "PERFORMANCE.md"
INSTRUCTIONS = clock.Clock("instructions", 1.0, 1.0)
NANOSECONDS = clock.Clock("ns", 0.2, 0.4)
COLUMNS = (
    mechanisms.Mechanism("unrestricted", "unrestricted"),
    mechanisms.Mechanism("syscalls", "landlock system calls"),
    mechanisms.Mechanism("engine", "our engine"),
    mechanisms.Mechanism("apparmor", "AppArmor", "not among the LSMs"),
)


def samples(plain: float, **added: float) -> dict[str, workload.Sample]:
    values = {mechanisms.UNRESTRICTED: plain, **{name: plain + value for name, value in added.items()}}
    return {name: workload.Sample(value, value, value, 1) for name, value in values.items()}


def row(subject: cases.Case | cases.Bystander, plain: float, **added: float) -> results.Row:
    return results.Row(samples(plain, **added), subject, results.WARM)


def line(name: str, plain: float, **added: float) -> results.Line:
    (operation,) = (each for each in operations.OPERATIONS if each.name == name)
    return results.Line(samples(plain, **added), operation)


def figures(*rows: results.Row, lines: tuple[results.Line, ...] = ()) -> results.Figures:
    return results.Figures(COLUMNS, rows, lines)


def mark(found: results.Figures, what: str, unit: clock.Clock = INSTRUCTIONS) -> targets.Mark:
    return next(each for each in targets.marks(found, unit) if each.what == what)


def test_ratio_is_of_what_is_added() -> None:
    assert row(cases.BASE, 7000, syscalls=2000, engine=800).ratio == pytest.approx(0.4)


def test_ratio_needs_both_mechanisms_and_a_cost() -> None:
    assert row(cases.BASE, 7000, engine=800).ratio is None
    assert row(cases.BASE, 7000, syscalls=0, engine=800).ratio is None


@pytest.mark.parametrize(("engine", "met"), [(1000, True), (1010, False)])
def test_target_at_depth_4(engine: float, met: bool) -> None:
    assert mark(figures(row(cases.BASE, 7000, syscalls=2000, engine=engine)), "open, ratio at depth 4").met is met


@pytest.mark.parametrize(("engine", "met"), [(2000, True), (2010, False)])
def test_target_of_an_operation(engine: float, met: bool) -> None:
    found = figures(lines=(line("rename", 7000, syscalls=2000, engine=engine),))
    assert mark(found, "rename, ratio").met is met


@pytest.mark.parametrize(("engine", "met"), [(-3, True), (3, True), (5, False)])
def test_target_of_what_must_cost_nothing(engine: float, met: bool) -> None:
    found = figures(lines=(line("read", 2000, syscalls=0, engine=engine),))
    assert mark(found, "read, added / unrestricted").met is met


@pytest.mark.parametrize(
    "name, unit, engine, missed",
    [
        ("rename", INSTRUCTIONS, 2010, ["rename, ratio: 1.005, to be <= 1"]),
        ("rename", INSTRUCTIONS, 2000, []),
        ("rename", NANOSECONDS, 2010, []),
        ("exec", INSTRUCTIONS, 2010, []),
    ],
)
def test_exit_status_tells_of_a_target(
    name: str, unit: clock.Clock, engine: float, missed: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it can be told: wall time wavers, and so does what a start takes."""
    found = figures(lines=(line(name, 7000, syscalls=2000, engine=engine),))
    file = written(tmp_path / "figures.json", document.document(unit, found))
    assert cli.main(["bench", "--load", str(file)]) == int(bool(missed))
    assert capsys.readouterr().err.splitlines() == [f"landlock-bpf: target missed: {each}" for each in missed]


def test_target_that_was_not_measured_is_not_met() -> None:
    assert {each.met for each in targets.marks(figures(), INSTRUCTIONS)} == {None}


def test_counts_of_instructions_are_no_target_for_wall_time() -> None:
    found = figures(row(cases.ONE, 7000, engine=299))
    assert mark(found, "bystander, one hook, cgroup domains").met is True
    with pytest.raises(StopIteration):
        mark(found, "bystander, one hook, cgroup domains", NANOSECONDS)


@pytest.mark.parametrize("quick", [True, False])
def test_every_target_speaks_of_what_is_measured(quick: bool) -> None:
    plan = measurement.Plan(quick=quick)
    rows = [row(case, 7000, syscalls=2000, engine=100) for case in plan.cases]
    rows += [row(case, 7000, engine=100) for case in plan.bystanders]
    lines = (results.Line(samples(100_000, syscalls=100, engine=100), operation) for operation in plan.operations)
    starts = (startup.Start(name, name, 1, 1, 1) for name in (startup.PYTHON, startup.RUN))
    made = (changes.Change(changes.ATTACH, case.rules, mechanisms.ENGINE, 1) for case in changes.TIMES)
    found = results.Figures(COLUMNS, tuple(rows), tuple(lines), tuple(starts), tuple(made))
    assert {each.what for each in targets.marks(found, INSTRUCTIONS) if not each.met} == set()


def test_quick_leaves_out_what_no_target_speaks_of() -> None:
    all_, quick = measurement.Plan(quick=False), measurement.Plan(quick=True)
    assert set(quick.cases) < set(all_.cases)
    assert set(quick.bystanders) < set(all_.bystanders)
    assert {each.name for each in set(all_.operations).difference(quick.operations)} >= {"stat", "chdir", "access"}


def test_cases_are_distinct_and_vary_from_the_base() -> None:
    assert len(set(cases.CASES)) == len(cases.CASES)
    assert {case.depth for case in cases.CASES} == {1, 4, 16, 64}
    assert {case.rules for case in cases.CASES} >= {1, 10, 1_000, 10_000}
    assert all(case.rules * case.layers <= abi.Limit.RULES for case in cases.CASES)
    assert {case.layers for case in cases.CASES} == {1, 4, 10, 16}


def test_there_is_room_for_the_domains_of_bystanders() -> None:
    assert max(case.domains for case in cases.BYSTANDERS) == abi.Limit.DOMAINS


@pytest.mark.parametrize("depth", [1, 4, 16, 64])
def test_file_has_as_many_directories_above_as_its_depth(depth: int) -> None:
    paths = [*tree.warm_paths(depth), *tree.cold_paths(depth)]
    assert {path.count("/") for path in paths} == {depth}
    assert all(path.startswith(f"{tree.top(depth)}/") for path in paths)


class Chains:
    """A loop whose instructions take the given times."""

    def __init__(self, *times: float) -> None:
        self.times = times

    def time_chains(self, rounds: int) -> tuple[float, ...]:
        return self.times


@pytest.mark.parametrize(
    ("times", "unit"),
    [
        pytest.param((1.001, 1.002), "instructions", id="icount"),
        pytest.param((0.125, 0.25), "ns", id="4 GHz"),
        pytest.param((0.5, 1.0), "ns", id="1 GHz"),
        pytest.param((0.0, 0.0), "ns", id="a machine without the loops"),
    ],
)
def test_unit_is_measured(times: tuple[float, float], unit: str) -> None:
    assert clock.read_clock(Chains(*times)).unit == unit  # type: ignore[arg-type]


FOUND = results.Figures(
    COLUMNS,
    (row(cases.BASE, 7280, syscalls=1745, engine=854), row(cases.MANY, 7280, engine=288)),
    (line("create", 9000, syscalls=3000, engine=1500), line("stat", 5000, syscalls=0, engine=700)),
    (startup.Start("python", "python3 -c pass", 1e8, 1e8, 1e8), startup.Start("run", "landlock-bpf run", 3e8, 3e8, 3e8)),
    (changes.Change("attach", 10, "engine", 4_000_000), changes.Change("attach", 10, "syscalls", 400_000)),
    (memory.Amount("rule", "engine", memory.MAPS, 96),),
)


@pytest.fixture
def told() -> document.Document:
    """Give a document as it is after a way through a file."""
    loaded: document.Document = json.loads(json.dumps(document.document(INSTRUCTIONS, FOUND)))
    return loaded


def test_document_has_every_figure(told: document.Document) -> None:
    assert (told["format"], told["unit"]) == (document.FORMAT, "instructions")
    assert told["rows"][0]["samples"]["engine"]["median"] == 8134
    assert told["rows"][1]["added"] == {"engine": 288}
    assert told["operations"][0]["ratios"] == {"engine": 0.5}
    assert told["starts"][1]["times"] == 3
    assert told["changes"][0] == {"what": "attach", "rules": 10, "mechanism": "engine", "median": 4_000_000}
    assert told["memory"][0]["bytes"] == 96
    assert {mark["met"] for mark in told["targets"]} == {True, None}


def test_tables_have_every_figure(told: document.Document, capsys: pytest.CaptureFixture[str]) -> None:
    report.print_report(told)
    out = capsys.readouterr().out
    for words in ("7,280", "+1,745", "+854", "0.49", "+288", "+1,500 (0.50)", "300,000,000", "3.00", "4,000,000", "400,000"):
        assert words in out
    assert "not measured: AppArmor: not among the LSMs" in out
    (stat,) = (each for each in out.splitlines() if each.startswith("stat "))
    assert stat.endswith("+700"), "what the system calls do not check has no ratio"


def marked(tmp_path: Path, series: str) -> Path:
    path = tmp_path / "PERFORMANCE.md"
    begin, end = (each.format(series=series, engine="none") for each in (page.BEGIN, page.END))
    path.write_text(f"# Before\n\n{begin}\nold figures\n{end}\n\nAfter.\n")
    return path


def test_page_has_the_tables_in_the_section_of_the_kernel(told: document.Document, tmp_path: Path) -> None:
    path = marked(tmp_path, page.series_of(told["kernel"]))
    page.write(path, told)
    text = path.read_text()
    assert text.startswith("# Before\n\n<!-- ") and text.endswith(" -->\n\nAfter.\n")
    assert "old figures" not in text
    assert "| create | open(2) of a new file, close(2), unlink(2) | 9,000 | +3,000 | +1,500 (0.50) |" in text
    page.write(path, told)
    assert path.read_text() == text


def test_page_without_the_section_is_refused(told: document.Document, tmp_path: Path) -> None:
    with pytest.raises(errors.NotFoundError, match="no section for Linux"):
        page.write(marked(tmp_path, "1.0"), told)


@pytest.mark.parametrize("series", [row.series for row in kernels.rows()])
def test_performance_has_a_section_for_each_kernel(series: str, told: document.Document, tmp_path: Path) -> None:
    path = tmp_path / "PERFORMANCE.md"
    path.write_text(PERFORMANCE.read_text())
    page.write(path, {**told, "kernel": f"{series}.1"})
    assert f"Linux {series}.1," in path.read_text()


def test_stale_figures_are_told(told: document.Document, tmp_path: Path) -> None:
    path = marked(tmp_path, page.series_of(told["kernel"]))
    page.write(path, told)
    assert page.stale(path) == []
    page.write(path, {**told, "engine": "0123456789ab"})
    assert page.stale(path) == [page.series_of(told["kernel"])]


@pytest.mark.parametrize("text, what", [("", "is no JSON"), ("[]", "is something else"), ('{"format": "old"}', "is old, and")])
def test_documents_of_others_are_refused(text: str, what: str, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    file.write_text(text)
    with pytest.raises(errors.UnsupportedError, match=what):
        document.read(file)


def written(file: Path, told: document.Document) -> Path:
    file.write_text(json.dumps(told))
    return file


def spoilt(told: document.Document) -> Iterator[document.Document]:
    """Give documents with something else for a part, or an element of a part that lacks something."""
    for key, part in told.items():
        yield from ({**told, key: wrong} for wrong in ({}, [], [{}], [[part]]))
        for each in part if isinstance(part, list) else ():
            for name in each if isinstance(each, dict) else ():
                yield {**told, key: [{inner: value for inner, value in each.items() if inner != name}]}


def test_a_document_that_lacks_something_is_refused(told: document.Document, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    assert document.read(written(file, told)) == told
    with pytest.raises(errors.UnsupportedError, match="lacks what there should be in kernel, lsm, .* mechanisms, .* targets;"):
        document.read(written(file, {"format": document.FORMAT}))
    for each in spoilt(told):
        with contextlib.suppress(errors.UnsupportedError):
            report.print_report(document.read(written(file, each)))
    file.write_text("[" * 100_000)
    with pytest.raises(errors.UnsupportedError, match="is no JSON"):
        document.read(file)


def test_a_document_without_what_was_found_out_later_is_read(told: document.Document, tmp_path: Path) -> None:
    for each in told["mechanisms"]:
        del each["failed"]
    assert report.failures(document.read(written(tmp_path / "figures.json", told))) == []
