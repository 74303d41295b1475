# SPDX-License-Identifier: GPL-2.0-only
"""Files of subcommands that are written where somebody else may plant links: whole or not at all, and nothing else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from landlock_bpf import errors
from landlock_bpf.cli import output


def write(path: Path, text: str) -> None:
    with output.opened(path) as place:
        output.replace(place, text.encode(), None)


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path / "new.toml"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Give a file that nobody is to write to, in a folder beside the one written to."""
    path = tmp_path / "elsewhere" / "victim"
    path.parent.mkdir()
    path.write_text("untouched")
    return path


def test_no_planted_link_is_followed(tmp_path: Path, victim: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "new.toml"
    for name in (".new.toml.part", "new.toml"):
        (folder / name).symlink_to(victim)
    victim.chmod(0o666)
    write(path, "text")
    assert (victim.read_text(), path.read_text(), path.is_symlink()) == ("untouched", "text", False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # Not even by who has guessed the name.
    monkeypatch.setattr(os, "urandom", bytes)
    (folder / f".landlock-bpf-{bytes(16).hex()}").symlink_to(victim)
    with pytest.raises(errors.KernelError, match="EEXIST"):
        write(path, "more")
    assert (victim.read_text(), path.read_text()) == ("untouched", "text")


def test_another_directory_in_its_place_is_not_written_to(tmp_path: Path, victim: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with output.opened(folder / "victim") as place:
        folder.rename(tmp_path / "moved")
        folder.symlink_to(victim.parent)
        output.replace(place, b"text", None)
    assert victim.read_text() == "untouched"
    assert (tmp_path / "moved" / "victim").read_text() == "text"


def test_what_fails_leaves_nothing(new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(errors.KernelError, match=f"cannot write {new}: .*ENOSPC"):
        write(new, "text")
    assert not [*new.parent.iterdir()]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Whom files are given to, users and groups; they stay the caller's."""
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda fd, uid, gid: given.append((uid, gid)))
    return given


USER = 1000, 100


def test_owner_and_mode(new: Path, given: list[tuple[int, int]]) -> None:
    """A new file is the user's alone; what replaces one is as that was."""
    with output.opened(new) as place:
        output.replace(place, b"text", USER)
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    new.chmod(0o644)
    with output.opened(new) as place:
        new.chmod(0o666)  # by somebody who runs meanwhile
        output.replace(place, b"more", USER)
    assert stat.S_IMODE(new.stat().st_mode) == 0o644
    assert given == [USER, (os.getuid(), os.getgid())]


@pytest.mark.parametrize("before", ["nothing", "file", "link"])
def test_a_file_made_meanwhile_hands_down_nothing(before: str, new: Path, victim: Path, given: list[tuple[int, int]]) -> None:
    """Else who made it would have the policy for his own."""
    if before == "file":
        new.touch()
    elif before == "link":
        new.symlink_to(victim)
    with output.opened(new) as place:
        made = new.with_name("made")
        made.touch()
        made.chmod(0o666)
        made.rename(new)
        output.replace(place, b"text", USER)
    assert (stat.S_IMODE(new.stat().st_mode), new.read_text()) == (0o600, "text")
    assert given == [USER]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what was written not reach the disk."""

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)


def test_what_fails_leaves_a_named_file_as_it_was(new: Path, failing: None) -> None:
    new.write_text("before")
    with pytest.raises(errors.KernelError, match=f"cannot write {new}: .*ENOSPC"):
        output.write(new, b"text")
    assert (new.read_text(), os.listdir(new.parent)) == ("before", [new.name])


def test_a_named_file_keeps_its_mode(new: Path) -> None:
    new.write_text("before")
    new.chmod(0o640)
    before = new.stat().st_ino
    output.write(new, b"text")
    assert (new.read_text(), stat.S_IMODE(new.stat().st_mode)) == ("text", 0o640)
    assert new.stat().st_ino != before


def test_a_new_one_is_as_the_umask_has_it(new: Path) -> None:
    mask = os.umask(0o027)
    try:
        output.write(new, b"text")
    finally:
        os.umask(mask)
    assert (new.read_text(), stat.S_IMODE(new.stat().st_mode)) == ("text", 0o640)


def test_links_and_pipes_are_written_to(tmp_path: Path) -> None:
    """Else /dev/stdout would be a file afterwards."""
    link, pipe, other = tmp_path / "link", tmp_path / "pipe", tmp_path / "other"
    link.symlink_to("target")
    output.write(link, b"text")
    assert (link.is_symlink(), (tmp_path / "target").read_text()) == (True, "text")
    os.link(tmp_path / "target", other)
    output.write(other, b"more")
    assert (tmp_path / "target").read_text() == "more"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        output.write(pipe, b"text")
        assert os.read(reader, 9) == b"text"
    finally:
        os.close(reader)
