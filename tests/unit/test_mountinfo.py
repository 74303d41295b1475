# SPDX-License-Identifier: GPL-2.0-only
"""Mountinfo: what is read of a line, whatever users call their mount points."""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from landlock_bpf import cgroup, features, mountinfo

LINE = b"36 35 98:0 /mnt1 /mnt/with\\040blank rw,noatime master:1 - ext3 /dev/root rw\n"
CGROUP = b"37 35 0:30 %b %b rw - cgroup2 cgroup2 rw\n"


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the file that is read for mountinfo."""
    path, real = tmp_path / "mountinfo", builtins.open

    def replaced(name: Any, *args: Any, **kwargs: Any) -> Any:
        return real(path if name == "/proc/self/mountinfo" else name, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", replaced)
    cgroup.mount_point.cache_clear()
    yield path
    cgroup.mount_point.cache_clear()


def test_a_line_is_read(lines: Path) -> None:
    lines.write_bytes(LINE)
    assert mountinfo.read() == (mountinfo.Mount("ext3", "98:0", "/mnt1", "/mnt/with blank", "rw"),)


def test_our_own_is_read() -> None:
    assert any(mount.point == "/" for mount in mountinfo.read())


def test_a_mount_point_need_not_be_text(lines: Path) -> None:
    lines.write_bytes(LINE.replace(b"blank", b"\xff\r") + CGROUP % (b"/", b"/sys/fs/cgroup"))
    strange, _ = mountinfo.read()
    assert os.fsencode(strange.point) == b"/mnt/with \xff\r"
    assert features._mounted("cgroup2", "mend") == ("yes", "/sys/fs/cgroup", "")
    assert cgroup.mount_point() == Path("/sys/fs/cgroup")


def test_all_control_groups_are_preferred_to_some(lines: Path) -> None:
    lines.write_bytes(CGROUP % (b"/a", b"/part") + CGROUP % (b"/", b"/all"))
    assert cgroup.mount_point() == Path("/all")


@pytest.mark.parametrize("made_up", [b"x", b"", b"a b c", b"1 2 0:3 / /m - 9p", b"1 2 0:3 / - 9p none rw"])
def test_what_is_no_line_is_passed_over(lines: Path, made_up: bytes) -> None:
    lines.write_bytes(made_up + b"\n" + LINE)
    assert [mount.type for mount in mountinfo.read()] == ["ext3"]
