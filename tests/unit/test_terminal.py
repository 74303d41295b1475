# SPDX-License-Identifier: GPL-2.0-only
"""Text for terminals: what is obeyed there is shown instead, wherever we print."""

from __future__ import annotations

import pytest

from landlock_bpf import cli, terminal


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/ö\tü", "/home/ö\tü"),
        ("a\x1b[2Jb\n", "a\\x1b[2Jb\\n"),
        ("\x9b\u202e", "\\x9b\\u202e"),  # the CSI of one byte, and text from right to left
        (b"\xff".decode(errors="surrogateescape"), "\\udcff"),
    ],
)
def test_shown(text: str, expected: str) -> None:
    assert terminal.shown(text) == expected


def test_complaints_and_columns(capsys: pytest.CaptureFixture[str]) -> None:
    cli.complain("a\x1b[2J\nb")
    cli.complain_at_length("c\nd\re\n")
    terminal.print_columns([("\x1b[2J", "x"), ("y", "zz")], {1})
    printed = capsys.readouterr()
    assert printed.err == "landlock-bpf: a\\x1b[2J\\nb\nlandlock-bpf: c\nlandlock-bpf: d\\re\n"
    assert printed.out == "\\x1b[2J   x\ny        zz\n"
