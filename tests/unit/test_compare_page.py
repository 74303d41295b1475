# SPDX-License-Identifier: GPL-2.0-only
"""The page of `compare`: all that the document says is there and none of it is HTML; it is whole without a script."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import test_bench
from browser import Element, Parser

from landlock_bpf import features
from landlock_bpf.bench import cases, changes, mechanisms, startup, workload
from landlock_bpf.bench import document as bench_document
from landlock_bpf.bench import results as bench_results
from landlock_bpf.compare import document as documents
from landlock_bpf.compare import operations, page, plot, results, statements

ROOT = Path(__file__).parents[2]

# Whatever it lands in, it would end that and start something of its own; what cannot be seen is shown as an escape.
HOSTILE = "</td></script></style><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp; {{ 7*7 }}\x1b\u202e\x00\ud800"
SEEN = HOSTILE[:-4] + "\\x1b\\u202e\\x00\\ud800"
# Values that have a meaning beyond being shown; all others may say anything.
MEANT = {"result", "fit"}
MEANT_IN_BENCH = {"kind", "files", "name", "mechanism", "samples", "added", "ratios"}


def parse(document: dict[str, Any]) -> Element:
    parser = Parser()
    parser.feed(page.render(document))
    parser.close()
    (root,) = parser.path
    return root


def cell(result: str, errno: str | None = None, fit: str | None = None, note: str | None = None) -> dict[str, Any]:
    return {"result": result, "errno": errno, "note": note, "fit": fit}


def mechanism(name: str, *cannot: str, missing: str | None = None) -> dict[str, Any]:
    return {"name": name, "title": f"{name}, title", "what": f"What {name} is.", "missing": missing, "cannot": list(cannot)}


def operation(name: str, wanted: str | None, cells: dict[str, Any], **others: Any) -> dict[str, Any]:
    fixed = {"name": name, "group": "metadata", "place": "inside", "text": f"{name}(2)", "wanted": wanted}
    return {**fixed, "why": f"Why of {name}.", "differs": True, "cells": cells, **others}


@pytest.fixture
def document() -> dict[str, Any]:
    bare = cell("allowed")
    return {
        "format": "landlock-bpf compare 1",
        "kernel": "6.12.0-test",
        "machine": "x86_64",
        "lsm": ["landlock", "bpf"],
        "date": "2026-11-22T10:00:00Z",
        "policy": {"name": "policies/compare.toml", "text": 'default = "deny"\n[[path_beneath]]\n'},
        "mechanisms": [
            mechanism("none"),
            mechanism("landlock+seccomp", "no deny rules"),
            mechanism("tomoyo", missing="boot with lsm=tomoyo"),
            mechanism("bpf"),
        ],
        "operations": [
            operation(
                "chmod",
                "refused",
                {
                    "none": bare,
                    "landlock+seccomp": cell("allowed", fit="open", note="n/a: no deny rules"),
                    "bpf": cell("refused", "EACCES", "right"),
                },
            ),
            operation(
                "rename",
                "allowed",
                {
                    "none": bare,
                    "landlock+seccomp": cell("refused", "EXDEV", "strict", note="second"),
                    "bpf": cell("refused", None, "strict", note="first"),
                },
                group="names",
                place="beside",
            ),
            operation(
                "signal",
                None,
                {"none": bare, "landlock+seccomp": cell("refused", "EPERM"), "bpf": cell("allowed")},
                differs=False,
            ),
            operation(
                "mknod",
                "refused",
                {"none": bare, "landlock+seccomp": cell("failed", "ENODEV"), "bpf": cell("absent", "ENOSYS")},
                differs=False,
            ),
        ],
        "bench": None,
    }


# What `bench` found, where most rows are at the base.
CASES = (
    test_bench.row(cases.BASE, 6_400, syscalls=1_780, engine=849),
    test_bench.row(cases.Case(depth=16, quick=True), 10_600, syscalls=4_864, engine=849),
    test_bench.row(cases.Case(layers=16), 6_400, syscalls=5_005, engine=849),
    test_bench.row(cases.Case(process=True), 6_400, engine=845),
    test_bench.row(cases.MANY, 6_400, engine=275),
)
FIGURES = bench_results.Figures(
    test_bench.COLUMNS,
    CASES,
    (test_bench.line("stat", 5_000, engine=310, syscalls=0), test_bench.line("rename", 9_000, syscalls=2_000, engine=900)),
    (startup.Start("python", "python3 -c pass", 5e7, 5e7, 5e7), startup.Start("run", "landlock-bpf run", 2e8, 2e8, 2e8)),
    (changes.Change("attach", 10, "engine", 4_500_000),),
)


def measured(found: bench_results.Figures) -> Any:
    """Give the document of what was measured, as it is after a way through a file."""
    return json.loads(json.dumps(bench_document.document(test_bench.INSTRUCTIONS, found)))


@pytest.fixture
def bench() -> Any:
    return measured(FIGURES)


def cells(root: Element, name: str) -> list[tuple[str | None, str]]:
    """Give the kind and the words of each cell of a row."""
    row = root.one("tbody", id=f"op-{name}").all("tr")[0]
    return [(each.attributes["data-kind"], each.text) for each in row.all("td") if "data-kind" in each.attributes]


def test_every_cell_says_what_was_seen_beside_its_mark(document: dict[str, Any]) -> None:
    root = parse(document)
    assert cells(root, "chmod") == [
        ("free", "·not judged: allowed"),
        ("open", "○open: allowed1"),
        ("missing", "not run:"),
        ("right", "✓as wanted: EACCES"),
    ]
    assert cells(root, "rename")[1::2] == [("strict", "▲too strict: EXDEV1"), ("strict", "▲too strict: refused2")]
    assert cells(root, "signal")[1::2] == [("free", "·not judged: EPERM"), ("free", "·not judged: allowed")]
    assert cells(root, "mknod")[1::2] == [("failed", "?failed: ENODEV"), ("absent", "-absent: ENOSYS")]


def test_marks_are_told_apart_without_colours() -> None:
    marks = [kind.mark for kind in page.KINDS]
    assert len(set(marks)) == len(marks)


def test_every_row_has_its_words_why_and_notes(document: dict[str, Any]) -> None:
    body = parse(document).one("tbody", id="op-rename")
    assert [each.text for each in body.all("td", class_="word")] == ["names", "beside", "allowed"]
    assert body.one("th").text == "rename rename(2)"
    assert body.one("td", class_="why").text == "Why of rename. 1 second 2 first"
    assert body.one("th").one("a").attributes["href"] == "#op-rename"


def test_every_row_has_as_many_columns_as_the_head(document: dict[str, Any]) -> None:
    table = parse(document).one("table", id="table")
    head = table.one("thead").all("th")
    assert [each.text for each in head] == [
        "Operation",
        "Group",
        "Place",
        "Wanted",
        "none",
        "landlock+seccomp",
        "tomoyo",
        "bpf",
    ]
    for body in table.all("tbody"):
        first, second = body.all("tr")
        assert len([each for each in first.children if isinstance(each, Element)]) == len(head)
        assert second.one("td").attributes["colspan"] == str(len(head) - 1)


def test_the_summary_counts_cells(document: dict[str, Any]) -> None:
    table = parse(document).one("table", class_="summary")
    rows = {each.one("th").text: [cell.text for cell in each.all("td")] for each in table.one("tbody").all("tr")}
    assert rows["landlock+seccomp"] == [
        "landlock+seccomp: 1 as wanted, 1 open"[:16] + rows["landlock+seccomp"][0][16:],
        "1",
        "1",
        "0",
        "1",
        "1",
        "0",
    ]
    assert rows["bpf"][1:] == ["0", "1", "1", "1", "0", "1"]
    assert rows["tomoyo"] == ["not run: boot with lsm=tomoyo"]


def test_mechanisms_tell_what_they_are_and_cannot_say(document: dict[str, Any]) -> None:
    root = parse(document)
    cards = {each.attributes["id"]: each.text for each in root.all("article")}
    assert cards["mechanism-landlock+seccomp"].endswith("What of the policy it cannot say no deny rules")
    assert "Not run here: boot with lsm=tomoyo" in cards["mechanism-tomoyo"]
    assert cards["mechanism-bpf"].endswith("It can say the whole policy.")
    assert cards["mechanism-none"] == "none none, title What none is."


def test_conditions(document: dict[str, Any]) -> None:
    root = parse(document)
    told = {each.one("dt").text: each.one("dd").text for each in root.one("dl", class_="conditions").all("div")}
    assert told["Kernel"] == "Linux 6.12.0-test, x86_64"
    assert told["Security modules"] == "landlock, bpf"
    assert told["Date"] == "2026-11-22T10:00:00Z"
    assert root.one("pre").raw == document["policy"]["text"]


def test_links_lead_to_what_is_there(document: dict[str, Any]) -> None:
    root = parse(document)
    ids = [each.attributes["id"] for each in root.walk() if "id" in each.attributes]
    assert len(set(ids)) == len(ids)
    targets = [each.attributes["href"] or "" for each in root.all("a")]
    assert {target[0] for target in targets} == {"#"} and {target[1:] for target in targets} <= set(ids)


def test_it_is_whole_without_a_script(document: dict[str, Any]) -> None:
    root = parse(document)
    hidden = {each.attributes.get("id") for each in root.walk() if "hidden" in each.attributes}
    assert hidden == {"tools", "theme"}
    assert not root.one("table", id="table").all("button")


def test_it_needs_no_other_file_and_lets_nothing_else_run(document: dict[str, Any], bench: dict[str, Any]) -> None:
    root = parse({**document, "bench": bench})
    for each in root.walk():
        assert not {"src", "srcset", "style", "data", "action", "background"} & set(each.attributes)
        assert not [name for name in each.attributes if name.startswith("on")]
    assert not root.all("link")
    style, script = root.one("style"), root.one("script")
    # An at-rule or a url() would load something.
    assert "url(" not in style.raw and "@import" not in style.raw
    policy = next(each for each in root.all("meta") if each.attributes.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.split(" ", 1) for rule in (policy.attributes["content"] or "").split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for name, element in (("style-src", style), ("script-src", script)):
        digest = hashlib.sha256(element.raw.encode()).digest()
        assert rules[name] == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert set(rules) == {"default-src", "base-uri", "form-action", "style-src", "script-src", "require-trusted-types-for"}


def hostile(value: Any, meant: set[str], *, keys: bool = False) -> Any:
    """Put HOSTILE into every string, but for those that have a meaning; into the keys of `cells` too, which are names."""
    if isinstance(value, str):
        return value if value == results.BARE else value + HOSTILE
    if isinstance(value, list):
        return [hostile(each, meant) for each in value]
    if isinstance(value, dict):
        return {
            (hostile(key, meant) if keys else key): each if key in meant else hostile(each, meant, keys=key == "cells")
            for key, each in value.items()
        }
    return value


def shape(root: Element) -> list[tuple[str, list[str]]]:
    return [(each.tag, sorted(each.attributes)) for each in root.walk()]


def test_nothing_in_the_document_is_html(document: dict[str, Any], bench: dict[str, Any]) -> None:
    mild = parse({**document, "bench": bench})
    wild = parse({**hostile(document, MEANT), "bench": hostile(bench, MEANT_IN_BENCH)})
    assert shape(wild) == shape(mild)
    assert wild.one("pre").text.endswith(SEEN)
    for before, after in zip(mild.walk(), wild.walk(), strict=True):
        if (
            before.tag in ("td", "th", "p", "dd", "li", "option", "figcaption", "text")
            and "aria-hidden" not in before.attributes
        ):
            assert SEEN in after.text or before.text == after.text
    (row,) = [each for each in wild.all("tbody") if (each.attributes.get("id") or "").startswith("op-chmod")]
    assert row.one("th").text == f"chmod{SEEN} chmod(2){SEEN}"
    assert row.one("td", class_="why").text == f"Why of chmod.{SEEN} 1 n/a: no deny rules{SEEN}"
    assert [each.text for each in row.all("td", class_="cell right")] == [f"✓as wanted: EACCES{SEEN}"]


def test_cost_is_shown_where_it_was_measured(document: dict[str, Any], bench: dict[str, Any]) -> None:
    assert not [each for each in parse(document).all("section") if each.attributes["id"] == "cost"]
    cost = parse({**document, "bench": bench}).one("section", id="cost")
    assert [each.one("figcaption").text for each in cost.all("figure")] == [
        "By depth, warm: one file again and again",
        "By layers, warm: one file again and again",
        "stat: stat(2)",
        f"rename: {FIGURES.lines[1].operation.text}",
        "Start of a command",
        "attach, 10 rules",
    ]
    assert all(len(each.all("svg", class_="plot")) == 1 for each in cost.all("figure"))
    shown = {each.one("figcaption").text: [text.text for text in each.all("text")] for each in cost.all("figure")}
    # Beside what the system calls do not check nothing is compared.
    assert shown["stat: stat(2)"] == ["landlock system calls", "+0", "our engine", "+310"]
    assert shown[f"rename: {FIGURES.lines[1].operation.text}"] == [
        "landlock system calls",
        "+2,000",
        "our engine",
        "+900 (0.45)",
    ]
    assert shown["Start of a command"] == ["python3 -c pass", "50,000,000 (1.00)", "landlock-bpf run", "200,000,000 (4.00)"]
    # A mechanism has its colour in every plot, and what is none has another.
    colours = {each.one("text", class_="start").text: each.attributes["class"] for each in cost.all("g") if each.all("rect")}
    assert colours["landlock-bpf run"] == colours["our engine"]
    assert colours["python3 -c pass"] not in (colours["our engine"], colours["landlock system calls"])
    depth = cost.all("figure")[0]
    assert [each.text for each in depth.all("title")][1:] == [
        "landlock system calls: 1,780 at 4",
        "landlock system calls: 4,864 at 16",
        "our engine: 849 at 4",
        "our engine: 849 at 16",
    ]
    assert "Not measured: AppArmor: not among the LSMs" in [each.text for each in cost.all("p")]


@pytest.mark.parametrize("title", [each.title for each in mechanisms.mechanisms()])
def test_names_of_bars_leave_room_for_figures(title: str) -> None:
    character = 7  # units of the picture, on average
    assert character * len(title + "+27,098 (14.84)") < plot.BARS_WIDTH


def test_what_was_not_measured_is_not_drawn(document: dict[str, Any]) -> None:
    assert not parse({**document, "bench": measured(bench_results.Figures(test_bench.COLUMNS))}).all("figure")
    # Without an unrestricted run nobody knows what is added.
    alone = workload.Sample(1, 1, 1, 1)
    rows = tuple(dataclasses.replace(row, samples={"engine": alone}) for row in CASES)
    lines = tuple(dataclasses.replace(line, samples={"engine": alone}) for line in FIGURES.lines)
    found = measured(bench_results.Figures(test_bench.COLUMNS, rows, lines))
    assert not parse({**document, "bench": found}).all("figure")


def test_the_documented_json_is_a_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lsm").write_text("landlock,bpf\n")
    monkeypatch.setattr(features, "LSM_LIST", tmp_path / "lsm")
    (text,) = re.findall(r"^```json compare\n(.*?)^```$", (ROOT / "docs" / "COMPARE.md").read_text(), re.M | re.S)
    told = json.loads(text)
    column = results.Column("landlock", "", "", None, ())
    row = results.Row(operations.OPERATIONS[0], None, {"landlock": results.Cell("allowed", None, None, None)})
    made = json.loads(json.dumps(documents.make((column,), (row,), statements.DEFAULT)))
    assert keys(told) == keys(made)
    assert told["format"] == made["format"]
    assert cells(parse(told), "chmod-inside") == [("open", "○open: allowed1")]


def keys(value: Any) -> Any:
    """Give the keys of all objects, in their order."""
    if isinstance(value, dict):
        return [(key, keys(each)) for key, each in value.items()]
    return [keys(each) for each in value if isinstance(each, dict)] if isinstance(value, list) else None
