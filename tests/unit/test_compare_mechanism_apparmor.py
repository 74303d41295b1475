# SPDX-License-Identifier: GPL-2.0-only
"""The AppArmor profile for the statements of a policy: its text, and that the parser takes it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from landlock_bpf import apparmor
from landlock_bpf.compare import mechanism_apparmor
from landlock_bpf.compare import scene as scenes


def statement(path: str, letters: str) -> scenes.Statement:
    """Make a statement of the letters r, w and m."""
    return scenes.Statement(path, "r" in letters, "w" in letters, "m" in letters)


def profile(**letters: str) -> str:
    """Write a profile for a tree at /tree; `everything` is the root of all."""
    names = {"everything": scenes.EVERYTHING, "work": scenes.WORK, "secret": scenes.SECRET, "ro": scenes.RO}
    statements = tuple(statement(names[name], said) for name, said in letters.items())
    return mechanism_apparmor.profile("name", Path("/tree"), statements)


def rules(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if "/" in line]


def test_what_a_folder_has_more_than_what_is_above_is_allowed() -> None:
    assert rules(profile(everything="r", work="rw")) == ["/{,**} rmkix,", '"/tree/work{,/,/**}" wl,']


def test_what_a_folder_has_less_is_denied() -> None:
    found = rules(profile(everything="r", work="rw", secret=""))
    assert found[2:] == ['deny "/tree/work/secret{,/,/**}" rmkx,', 'deny "/tree/work/secret{,/,/**}" wl,']


def test_what_is_as_above_needs_no_rule() -> None:
    assert rules(profile(everything="r", ro="r")) == ["/{,**} rmkix,"]


def test_order_of_statements_does_not_matter() -> None:
    assert profile(secret="", work="rw", everything="r") == profile(everything="r", work="rw", secret="")


@pytest.mark.parametrize(
    "word", ["sys_admin", "sys_ptrace", "dac_read_search", "sys_module", "mount", "ptrace", "change_profile"]
)
def test_nothing_is_granted_that_leads_round_it(word: str) -> None:
    assert word not in profile(everything="rw")


def test_parser_takes_it(tmp_path: Path) -> None:
    if shutil.which(apparmor.PARSER) is None:
        pytest.skip(f"{apparmor.PARSER} is not installed (Debian: apparmor)")
    path = tmp_path / "profile"
    path.write_text(profile(everything="r", work="rwm", secret="", ro="r"))
    words = [apparmor.PARSER, "--skip-kernel-load", "--skip-cache", "--quiet", path]
    assert subprocess.run(words, capture_output=True, text=True, check=False).returncode == 0
    path.write_text(path.read_text().replace("wl,", "wlZ,"))
    assert subprocess.run(words, capture_output=True, text=True, check=False).returncode != 0
