# SPDX-License-Identifier: GPL-2.0-only
"""All figures as one document: what `--json` writes, and what the tables are made of."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import types
from pathlib import Path
from typing import Any

from landlock_bpf import compiler, conditions, errors
from landlock_bpf.bench import clock, mechanisms, results, startup, targets

FORMAT = "landlock-bpf bench 2"
Document = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class _Named:
    """The shape of an object that has parts of one shape, under any names."""

    part: Any


# The shape of what is read of a document: a type, one of these words, one of these shapes, a list or an object of these.
_NUMBER = int | float
_FIGURE = int | float | None
_SAMPLES = {"samples": _Named({"median": _NUMBER}), "added": _Named(_FIGURE)}
_ROW = {"files": str, "process": bool, "programs": bool, "ratio": _FIGURE, **_SAMPLES}
_CASE = {"kind": frozenset({"case"}), "depth": int, "rules": int, "layers": int, **_ROW}
_BYSTANDER = {"kind": frozenset({"bystander"}), "domains": int, "one_hook": bool, **_ROW}
_SHAPE: Document = {
    "kernel": str,
    "lsm": ([str], types.NoneType),
    "date": str,
    "engine": str,
    "unit": str,
    "cpus": int | None,
    "filesystem": str,
    "mechanisms": [{"name": str, "title": str, "missing": str | None}],
    "rows": [(_CASE, _BYSTANDER)],
    "operations": [{"name": str, "text": str, "compared": bool, "ratios": _Named(_FIGURE), **_SAMPLES}],
    "starts": [{"name": str, "text": str, "median": _NUMBER, "times": _FIGURE}],
    "changes": [{"what": str, "rules": int, "mechanism": str, "median": _NUMBER}],
    "memory": [{"what": str, "mechanism": str, "how": str, "bytes": _NUMBER}],
    "targets": [{"what": str, "limit": _NUMBER, "value": _FIGURE, "met": bool | None}],
}


def document(unit: clock.Clock, found: results.Figures) -> Document:
    """Give what was measured, on what, and how it stands to the targets."""
    python = found.start(startup.PYTHON)
    return {
        **conditions.head(FORMAT),
        "engine": engine(),
        "unit": unit.unit,
        "ns_per_instruction": [unit.short_chain, unit.long_chain],
        "cpus": os.cpu_count(),
        "filesystem": "tmpfs",
        "mechanisms": [dataclasses.asdict(column) for column in found.columns],
        "rows": [{**_row(row), "ratio": row.ratio} for row in found.rows],
        "operations": [_line(line) for line in found.lines],
        "starts": [{**dataclasses.asdict(start), "times": results.divide(start.median, python)} for start in found.starts],
        "changes": [dataclasses.asdict(change) for change in found.changes],
        "memory": [dataclasses.asdict(amount) for amount in found.memory],
        "targets": [{**dataclasses.asdict(mark), "met": mark.met} for mark in targets.marks(found, unit)],
    }


def read(path: Path) -> Document:
    """Read what `bench --json` wrote; UnsupportedError for anything else, KernelError where it cannot be read."""
    remedy = f"write it with `landlock-bpf bench --json {path}`"
    try:
        told = json.loads(path.read_text())
    except OSError as error:
        raise errors.KernelError("read", str(path), error.errno or 0, remedy) from error
    except (ValueError, RecursionError) as error:
        raise errors.UnsupportedError(f"{path} is no JSON: {error}", remedy) from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        said = told.get("format") if isinstance(told, dict) else None
        raise errors.UnsupportedError(f"{path} is {said or 'something else'}, and {FORMAT} is read", remedy)
    if wrong := _lacking(told, _SHAPE):
        raise errors.UnsupportedError(f"{path} lacks what there should be in {', '.join(wrong)}", remedy)
    for each in told["mechanisms"]:
        each.setdefault("failed", [])  # of before anything could
    for each in told["targets"]:
        each.setdefault("firm", True)  # of before any was not
    return told


def _lacking(told: Document, shape: Document) -> list[str]:
    return [key for key, part in shape.items() if key not in told or not _fits(told[key], part)]


def _fits(value: object, shape: Any) -> bool:
    if isinstance(shape, _Named):
        return isinstance(value, dict) and all(_fits(part, shape.part) for part in value.values())
    if isinstance(shape, dict):
        return isinstance(value, dict) and not _lacking(value, shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(each, part) for each in value for part in shape)
    if isinstance(shape, tuple):
        return any(_fits(value, each) for each in shape)
    if isinstance(shape, frozenset):
        return isinstance(value, str) and value in shape
    return isinstance(value, shape)


def engine() -> str:
    """Name the engine by what it is made of: figures of another one are stale."""
    digest = hashlib.sha256()
    folder = compiler.source_dir()
    for path in sorted(path for pattern in ("*.h", "*.j2") for path in folder.glob(pattern)):
        digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _row(row: results.Row) -> Document:
    subject = dataclasses.asdict(row.subject)
    subject.pop("quick")
    return {"kind": type(row.subject).__name__.lower(), **subject, "files": row.files, **_samples(row)}


def _line(line: results.Line) -> Document:
    operation = line.operation
    ratios = {name: line.ratio_of(name) for name in line.samples if name not in (mechanisms.UNRESTRICTED, mechanisms.SYSCALLS)}
    named = {"name": operation.name, "text": operation.text, "compared": operation.compared}
    return {**named, **_samples(line), "ratios": ratios}


def _samples(found: results.Samples) -> Document:
    return {
        "samples": {name: dataclasses.asdict(sample) for name, sample in found.samples.items()},
        "added": {name: found.added(name) for name in found.samples if name != mechanisms.UNRESTRICTED},
    }
