# SPDX-License-Identifier: GPL-2.0-only
"""What is marked in the fsviews of rule programs: read from the command line or environment, and found on this host."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple, Union

from landlock_bpf import errors, identity, paths, policy_source, route, ruleset, ways

OPTION = "--view"
# LANDLOCK_MARK_RO and LANDLOCK_MARK_RW of bpf/include-2017; a rule may give any other number a meaning of its own.
MARKS = {"ro": 1, "rw": 2}
# The variables of 2017's samples, which fill the view of a rule that has one. What is in both has the later mark.
VARIABLES = {"LL_PATH_RO": "ro", "LL_PATH_RW": "rw"}
_MOST = 2**32 - 1


class Tree(NamedTuple):
    """A path to be marked: the object there, and so all beneath it that no nearer mark speaks of."""

    mark: int
    path: str


# By the names of views.
Trees = Mapping[str, tuple[Tree, ...]]


@dataclasses.dataclass(frozen=True)
class _Found:
    """The object of a path, and the directories above it as we see them; a pipe has no place, and so none of these."""

    object: identity.Named
    placed: bool
    above: tuple[identity.Named, ...]


_Finding = Union[_Found, OSError]


def parse(words: Sequence[str]) -> Trees:
    """Read `NAME=MARK:PATH[:PATH]...[,MARK:...]...`, once for each view; PolicyError with every mistake."""
    problems: list[errors.Problem] = []
    found: dict[str, tuple[Tree, ...]] = {}
    for word in words:
        name, sign, said = word.partition("=")
        if not sign or not re.fullmatch(r"\w+", name):
            problems.append(_problem(word, "names no view", f"write {OPTION} NAME=ro:/usr:/lib,rw:/tmp"))
        elif name in found:
            problems.append(_problem(word, f"fills {name} again", f"say all of it in one {OPTION}"))
        else:
            found[name] = tuple(_trees(word, said, problems))
    if problems:
        raise errors.PolicyError(problems)
    return found


def from_environment(environ: Mapping[str, str]) -> tuple[Tree, ...]:
    """Read 2017's variables, lists with colons between."""
    lists = ((MARKS[mark], environ.get(name, "")) for name, mark in VARIABLES.items())
    return tuple(Tree(mark, paths.absolute(path)) for mark, said in lists for path in said.split(":") if path)


def check(trees: Trees, views: Sequence[ruleset.View]) -> None:
    """Raise PolicyError for what no view is there for, or too much for one."""
    most = {view.name: view.most for view in views}
    known = f"views are declared with LANDLOCK_FSVIEW: {', '.join(most) or 'none is'}"
    problems = [_problem(name, "is no view of these rule programs", known) for name in trees if name not in most]
    for name, each in trees.items():
        if len(each) > most.get(name, len(each)):
            what = f"would have {len(each)} marks, and LANDLOCK_FSVIEW({name}, {most[name]}) has room for {most[name]}"
            problems.append(_problem(name, what, "raise the number there"))
    if problems:
        raise errors.PolicyError(problems)


def resolve(
    trees: Trees, views: Sequence[ruleset.View], identify: route.Identify, filesystems: ways.Filesystems
) -> tuple[ruleset.Mark, ...]:
    """Find all that is to be marked, and what is above it; PolicyError with every path that cannot be marked.

    `filesystems` holds all that is marked: close it when the marks are in the kernel.
    """
    wanted = tuple(dict.fromkeys(tree.path for each in trees.values() for tree in each))
    if not wanted:
        return ()
    with route.many_descriptors():
        found = _find(wanted, identify, filesystems)
        doubtful = [path for path, each in found.items() if isinstance(each, _Found) and _doubtful(each)]
        again: dict[str, _Finding] = {}
        if doubtful:
            ways.drop_caches()
            again = _find(doubtful, identify, filesystems, certain=True)
    problems: list[errors.Problem] = []
    marks: list[ruleset.Mark] = []
    for number, view in enumerate(views):
        for mark, path in trees.get(view.name, ()):
            each = found[path]
            wrong = _wrong(each, again.get(path, each))
            if wrong:
                problems.append(_problem(view.name, f"{path} {wrong[0]}", wrong[1]))
            elif isinstance(each, _Found):
                marks.append(ruleset.Mark(each.object.object, number, mark, path))
                marks += (ruleset.Mark(named.object, number, 0, path) for named in each.above)
    if problems:
        raise errors.PolicyError(problems)
    return tuple(marks)


def _trees(word: str, said: str, problems: list[errors.Problem]) -> Iterator[Tree]:
    for group in said.split(",") if said else ():
        name, sign, listed = group.partition(":")
        mark = MARKS.get(name) or _number(name)
        if not 0 < mark <= _MOST:
            what = f"has the mark {policy_source.quote(name)}"
            problems.append(_problem(word, what, f"use ro, rw or a number from 1 to {_MOST}"))
        elif not sign or not all(listed.split(":")):
            problems.append(_problem(word, f"lacks a path after {name}", f"write {name}:/one:/two; no path has : or ,"))
        else:
            yield from (Tree(mark, paths.absolute(path)) for path in listed.split(":"))


def _number(text: str) -> int:
    """Read a number; 0 where it is none, or has more digits than any mark."""
    digits = text.lstrip("0")
    return int(digits) if digits.isdecimal() and digits.isascii() and len(digits) <= len(str(_MOST)) else 0


def _find(
    wanted: Sequence[str], identify: route.Identify, filesystems: ways.Filesystems, *, certain: bool = False
) -> dict[str, _Finding]:
    """Open each path, as it is now, with the directories above it, and have all of them named."""
    found: dict[str, _Finding] = {}
    opened: dict[str, int] = {}
    folders: dict[str, int] = {}
    ways: dict[str, list[str] | None] = {}
    with contextlib.ExitStack() as stack:

        def open_place(path: str, flags: int = 0) -> int:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC | flags)
            stack.callback(os.close, fd)
            return fd

        for path in wanted:
            try:
                opened[path] = fd = open_place(path)
                way = _folders(path, fd)
                for folder in way or ():
                    if folder not in folders:
                        folders[folder] = open_place(folder, os.O_DIRECTORY | os.O_NOFOLLOW)
                ways[path] = way
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    raise
                found[path] = error
        named = identify([*opened.values(), *folders.values()])
        for path, fd in opened.items():
            if path not in found:
                way = ways[path]
                above = tuple(named[folders[folder]] for folder in way or ())
                found[path] = each = _Found(named[fd], way is not None, above)
                if certain or not _doubtful(each):
                    filesystems.hold(named[fd], fd)
    return found


def _folders(path: str, fd: int) -> list[str] | None:
    """Name the directories above an open object; None where it has no path, or not the one it was opened by any more."""
    real = os.path.realpath(path)
    try:
        same = os.path.samestat(os.stat(real, follow_symlinks=False), os.fstat(fd))
    except OSError:  # pipe:[...]
        same = False
    return [str(parent) for parent in PurePosixPath(real).parents] if same else None


def _doubtful(each: _Found) -> bool:
    return each.placed and each.object.magic not in identity.STABLE


def _wrong(each: _Finding, again: _Finding) -> tuple[str, str] | None:
    """Say what is wrong with an object to be marked, and the remedy; None if it can be."""
    if isinstance(each, OSError):
        return f"cannot be opened: {each.strerror}", "only what exists can be marked"
    if each.object.refusal:
        return each.object.refusal, "mark the directory it is in"
    if isinstance(again, OSError) or again.object.object != each.object.object:
        what = f"is on a filesystem of type {each.object.magic:#x}, which names an object anew once it has left the cache"
        return what, "mark an object of another filesystem"
    if not each.placed and (stat.S_ISREG(each.object.mode) or each.object.directory):
        return "has no path: it was removed, or moved while it was looked at", "mark what has a path"
    return None


def _problem(view: str, what: str, remedy: str) -> errors.Problem:
    shown = view if len(view) <= 80 else policy_source.quote(view)
    return errors.Problem("command line", 0, f"{OPTION} {shown}", what, remedy)
