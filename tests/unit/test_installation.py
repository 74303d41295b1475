# SPDX-License-Identifier: GPL-2.0-only
"""What tells, without compiling, that the engine in the kernel is of this version."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from landlock_bpf import installation


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source of a version that is loaded and was compared."""
    source = tmp_path / "a file.h"
    source.write_text("one")
    monkeypatch.setattr(installation, "PINS", tmp_path / "pins")
    monkeypatch.setattr(installation, "KNOWN", tmp_path / "known")
    (tmp_path / "pins" / "engine-1").mkdir(parents=True)
    know(installation.__file__, source)
    installation._version.cache_clear()
    return source


def know(module: str, source: Path) -> None:
    installation.KNOWN.write_text("\n".join(["engine-1", module, installation._look(str(source))]))


def test_a_version_that_was_compared_is_known(source: Path) -> None:
    assert installation._is_known()


def test_it_is_unknown_once_a_source_was_written_to(source: Path) -> None:
    source.write_text("other")
    assert not installation._is_known()


def test_it_is_unknown_once_a_source_is_gone(source: Path) -> None:
    source.unlink()
    assert not installation._is_known()


def test_another_one_that_was_loaded_since_is_unknown(source: Path) -> None:
    (installation.PINS / "engine-1").rename(installation.PINS / "engine-2")
    assert not installation._is_known()


def test_that_of_another_checkout_is_unknown(source: Path) -> None:
    know("/elsewhere/installation.py", source)
    assert not installation._is_known()


@pytest.mark.parametrize("words", ["", "engine-1"])
def test_half_a_note_says_nothing(source: Path, words: str) -> None:
    installation.KNOWN.write_text(words)
    assert not installation._is_known()


def test_what_a_killed_one_left_is_not_in_the_way(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have had our process id, and left the very name that the engine gets on its way out."""
    monkeypatch.setattr(installation, "BPFFS", installation.PINS.parent)
    left = installation.PINS.with_name(f"pins-{os.getpid()}")
    (left / "maps").mkdir(parents=True)
    installation.unload()
    assert [path.name for path in installation.BPFFS.iterdir() if path.name.startswith("pins")] == []
