# SPDX-License-Identifier: GPL-2.0-only
"""The ascent from an object up to the root: what it begins at, and what it refuses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from landlock_bpf import ascent, errors


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a folder with a link to a directory elsewhere: to what is beside that, link/.. leads."""
    inner = tmp_path.resolve() / "far" / "inner"
    inner.mkdir(parents=True)
    (inner.parent / "beside").touch()
    here = tmp_path.resolve() / "here"
    here.mkdir()
    (here / "link").symlink_to(inner)
    monkeypatch.chdir(here)
    return inner.parent


@pytest.fixture
def pipe() -> Iterator[int]:
    ends = os.pipe()
    yield ends[0]
    for end in ends:
        os.close(end)


def way(path: str, *, follow: bool = True, parent: bool = False) -> list[str]:
    with ascent.Ascent(path, follow=follow, parent=parent) as places:
        return [name for _fd, name in places.paths()]


@pytest.mark.parametrize("path", ["link/../beside", "./link/.././/beside", "{}/link/../beside"])
def test_above_a_link_is_where_it_leads(folder: Path, path: str) -> None:
    expected = [str(folder / "beside"), str(folder), *map(str, folder.parents)]
    assert way(path.format(os.getcwd())) == expected
    assert way(path.format(os.getcwd()), parent=True) == expected[1:]


@pytest.mark.parametrize(("path", "above"), [("/a/b", "/a"), ("/a", "/"), ("/", "/"), ("/a/link/..", "/a/link/../..")])
def test_the_directory_of_a_name(path: str, above: str) -> None:
    assert ascent.directory(path) == above


def test_what_is_missing_stands_beneath_where_the_path_leads(folder: Path) -> None:
    with ascent.Ascent("link/../no/such", follow=True) as places:
        assert (places.names, places.target) == (["no", "such"], f"{folder}/no/such")


def test_nothing_is_above_what_is_missing(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ascent.Ascent("none/../beside", follow=True)


def test_what_never_had_a_path_is_refused_by_name(pipe: int) -> None:
    with pytest.raises(errors.NotFoundError, match=rf"^/proc/self/fd/{pipe} leads to pipe:\[\d+\], which is not to be found"):
        ascent.Ascent(f"/proc/self/fd/{pipe}", follow=True)


def test_what_was_removed_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "gone"
    with path.open("w") as file:
        path.unlink()
        with pytest.raises(
            errors.NotFoundError, match=r"leads to .*/gone \(deleted\), which is not to be found by a path; ask"
        ):
            ascent.Ascent(f"/proc/self/fd/{file.fileno()}", follow=True)


@pytest.mark.parametrize(
    ("path", "follow", "target"),
    [
        ("file", True, "file"), ("link", True, "there/missing"), ("link", False, "link"), ("link/x", False, "there/missing/x"),
        ("a/b", True, "a/b"), ("chain", True, "there/missing"), ("to/../file", True, "file"), ("to/x", False, "there/x"),
    ],
)  # fmt: skip
def test_where_a_path_leads(path: str, follow: bool, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("there/missing")
    (tmp_path / "chain").symlink_to(tmp_path / "link")
    (tmp_path / "to").symlink_to("there")
    monkeypatch.chdir(tmp_path)
    for each in (path, str(tmp_path / path)):
        with ascent.Ascent(each, follow=follow) as places:
            assert places.target == str(tmp_path / target)


def test_links_that_lead_to_one_another(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(OSError, match="symbolic links"), ascent.Ascent(str(tmp_path / "one"), follow=True):
        pass
