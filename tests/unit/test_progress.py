# SPDX-License-Identifier: GPL-2.0-only
"""The bar of a run: one line that is rewritten, on a terminal alone."""

from __future__ import annotations

import io
import os

import pytest

from landlock_bpf import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(monkeypatch: pytest.MonkeyPatch, steps: int, *words: str) -> list[str]:
    """Tell words to a bar on a terminal of 60 columns, and give the lines that are there one after the other."""
    terminal = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stderr", terminal)
        patch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((60, 20)))
        with progress.bar(steps) as tell:
            for each in words:
                tell(each)
    return terminal.getvalue().split("\r\033[K")


def test_each_step_rewrites_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    before, first, second, _third, beyond, end = lines(monkeypatch, 3, "first", "second", "third", "one too many")
    assert first == f"[{' ' * 30}] 0:00 first"
    assert second == f"[{'#' * 10}{' ' * 20}] 0:00 second"
    assert beyond == f"[{'#' * 30}] 0:00 one too many"
    assert before == end == ""


def test_no_line_is_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(map(len, lines(monkeypatch, 1, "x" * 100))) == 59


def test_nothing_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.bar(1) as tell:
        tell("first")
    assert capsys.readouterr().err == ""
