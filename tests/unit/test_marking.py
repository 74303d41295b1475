# SPDX-License-Identifier: GPL-2.0-only
"""What is marked in views: words read, paths found, mistakes told."""

from __future__ import annotations

import os
import types
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import pytest

from landlock_bpf import abi, engine, errors, identity, marking, ruleset, views, ways
from landlock_bpf.marking import Tree

VIEW = ruleset.View("trees", 4)


def named(fd: int) -> identity.Named:
    """Name as the kernel does, without a kernel: on ext4."""
    found = os.fstat(fd)
    object = identity.OBJECT.pack(found.st_ino, 0, found.st_dev & 0xFFFFFFFF, 0)
    return identity.Named(fd, found.st_mode, object, identity.NOTHING, identity.NOTHING, 0xEF53, 1, 1)


def identify(fds: Iterable[int]) -> identity.Names:
    return identity.Names.of(map(named, fds))


def resolve(*trees: Tree) -> tuple[ruleset.Mark, ...]:
    with ways.Filesystems() as filesystems:
        return marking.resolve({"trees": trees}, [VIEW], identify, filesystems)


def object_of(path: Path | str) -> bytes:
    fd = os.open(path, os.O_PATH)
    try:
        return named(fd).object
    finally:
        os.close(fd)


def test_words() -> None:
    assert marking.parse(["a=ro:/usr:/lib,rw:/tmp,7:/x", "b="]) == {
        "a": (Tree(1, "/usr"), Tree(1, "/lib"), Tree(2, "/tmp"), Tree(7, "/x")),
        "b": (),
    }
    assert marking.parse(["a=ro:here"])["a"][0].path == str(Path.cwd() / "here")
    assert marking.parse(["a=0007:/x"]) == {"a": (Tree(7, "/x"),)}


def test_steps_up_are_left_to_the_filesystem() -> None:
    """Past a symbolic link, they lead elsewhere than the words say."""
    assert marking.parse(["a=ro:/link//.././x:link/../y"])["a"] == (Tree(1, "/link/../x"), Tree(1, f"{Path.cwd()}/link/../y"))
    assert marking.from_environment({"LL_PATH_RO": "/link/../x"}) == (Tree(1, "/link/../x"),)


def test_marked_is_where_the_steps_lead(tmp_path: Path) -> None:
    inner = tmp_path / "far" / "inner"
    inner.mkdir(parents=True)
    for beside in (tmp_path / "x", inner.parent / "x"):
        beside.touch()
    (tmp_path / "link").symlink_to(inner)
    ((tree,),) = marking.parse([f"trees=ro:{tmp_path}/link/../x"]).values()
    assert resolve(tree)[0].object == object_of(inner.parent / "x")


def test_a_number_that_python_would_not_read() -> None:
    with pytest.raises(errors.PolicyError, match="has the mark '9{76}[.]{3}; use ro, rw or a number") as caught:
        marking.parse([f"a={'9' * 5000}:/usr"])
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ro:/usr"], "names no view"),
        (["a b=ro:/usr"], "names no view"),
        (["a=ro:/usr", "a=rw:/tmp"], "fills a again"),
        (["a=/usr"], "has the mark '/usr'"),
        (["a=rx:/usr"], "has the mark 'rx'; use ro, rw or a number from 1 to 4294967295"),
        (["a=0:/usr"], "has the mark '0'"),
        (["a=4294967296:/usr"], "has the mark '4294967296'"),
        (["a=ro"], "lacks a path after ro"),
        (["a=ro:/usr:"], "lacks a path after ro"),
        (["a=ro:/usr,"], "has the mark ''"),
    ],
)
def test_mistakes(words: list[str], told: str) -> None:
    with pytest.raises(errors.PolicyError) as caught:
        marking.parse(words)
    assert told in str(caught.value)


def test_the_variables_of_2017() -> None:
    environ = {"LL_PATH_RO": "/usr:/lib", "LL_PATH_RW": "/tmp:"}
    assert marking.from_environment(environ) == (Tree(1, "/usr"), Tree(1, "/lib"), Tree(2, "/tmp"))
    assert marking.from_environment({}) == ()


def test_the_marks_are_those_of_the_header() -> None:
    header = (Path(marking.__file__).parents[1] / "bpf" / "include-2017" / "uapi" / "linux" / "bpf.h").read_text()
    for name, number in marking.MARKS.items():
        assert f"#define LANDLOCK_MARK_{name.upper()} {number}\n" in header


def test_what_has_no_view_or_no_room() -> None:
    marking.check({"trees": (Tree(1, "/a"),) * 4}, [VIEW])
    with pytest.raises(errors.PolicyError) as caught:
        marking.check({"trees": (Tree(1, "/a"),) * 5, "tree": ()}, [VIEW])
    assert [(problem.key, problem.remedy) for problem in caught.value.problems] == [
        ("--view tree", "views are declared with LANDLOCK_FSVIEW: trees"),
        ("--view trees", "raise the number there"),
    ]


def test_an_object_and_the_way_to_it(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(inner)
    marks = resolve(Tree(2, str(link)))
    assert marks[0] == ruleset.Mark(object_of(inner), 0, 2, str(link))
    # Of the link nothing is said: it is beside the way.
    assert [mark.object for mark in marks[1:]] == [object_of(parent) for parent in inner.parents]
    assert {mark.mark for mark in marks[1:]} == {0}
    assert [mark.object for mark in resolve(Tree(1, "/"))] == [object_of("/")]


def test_a_pipe_is_marked_without_a_way() -> None:
    read, write = os.pipe()
    try:
        (mark,) = resolve(Tree(2, f"/proc/self/fd/{read}"))
        assert mark.object == object_of(f"/proc/self/fd/{read}")
    finally:
        os.close(read)
        os.close(write)


def test_what_cannot_be_marked(tmp_path: Path) -> None:
    path = tmp_path / "removed"
    with path.open("w") as opened:
        path.unlink()
        with pytest.raises(errors.PolicyError) as caught:
            resolve(Tree(1, f"/proc/self/fd/{opened.fileno()}"), Tree(1, str(tmp_path / "none")))
    first, second = caught.value.problems
    assert "has no path" in first.what and "cannot be opened: No such file or directory" in second.what


def test_what_views_say_of_an_object() -> None:
    here, above = identity.OBJECT.pack(1, 0, 8, 0), identity.OBJECT.pack(2, 0, 8, 0)
    said = ruleset.view_marks(
        [
            ruleset.Mark(here, 0, 1, "/a/b"),
            ruleset.Mark(above, 0, 0, "/a/b"),
            ruleset.Mark(here, 1, 7, "/a/b"),
            ruleset.Mark(here, 0, 2, "/a/b"),
        ],
        2,
    )
    assert set(said) == {here, above}
    marks = abi.ViewMarks.from_buffer_copy(said[here])
    assert (list(marks.marks)[:3], marks.ways, marks.all) == ([2, 7, 0], 3, 3)
    marks = abi.ViewMarks.from_buffer_copy(said[above])
    assert (list(marks.marks)[:3], marks.ways, marks.all) == ([0, 0, 0], 1, 3)


def test_marked_anew_without_views() -> None:
    """A set of marks has a serial number, and programs without views have no set: of these the engine asks less."""
    live = cast(engine.Engine, types.SimpleNamespace(views=types.SimpleNamespace(lookup={}.get)))
    for declared, serial in (((), 0), ((VIEW,), 7)):
        programs = ruleset.Programs(1, 2, ruleset.ENGINE, "", "libbpf", (), declared, 3 if declared else 0)
        (made,) = views.marked(live, [ruleset.of_programs("d", 3, programs)], 7, (), ())
        assert made.programs and (made.made, made.programs.serial, made.programs.place.views) == (7, serial, serial)
