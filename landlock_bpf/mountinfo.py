# SPDX-License-Identifier: GPL-2.0-only
"""The mounts of our mount namespace, from /proc/self/mountinfo (proc(5)): values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_ESCAPED = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """One mount: the type and the device number of its filesystem, which directory of it, and where.

    `options` are those of the filesystem, as the kernel writes them: commas apart, others escaped in octal.
    """

    type: str
    device: str
    root: str
    point: str
    options: str = ""


def read() -> tuple[Mount, ...]:
    """Read the mounts of our mount namespace."""
    return tuple(mount for _id, mount in _read())


def by_id() -> dict[int, Mount]:
    """Read the same by the numbers that mounts have, which /proc/self/fdinfo tells of descriptors."""
    return dict(_read())


def _read() -> Iterator[tuple[int, Mount]]:
    # Users mount where they like (fusermount), and names of files need not be UTF-8.
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        yield from _parse(lines)


def _parse(lines: Iterable[str]) -> Iterator[tuple[int, Mount]]:
    """Parse lines of mountinfo: id parent device root POINT options [tags...] - type source options.

    What is no such line is passed over: of some filesystems the kernel writes options as users gave them, with line feeds.
    """
    for line in lines:
        head, _, tail = line.partition(" - ")
        numbers, words = head.split(" "), tail.rstrip("\n").split(" ")
        if len(numbers) < 6 or len(words) < 2 or not numbers[0].isdecimal():
            continue
        number, _parent, device, root, point, *_options = numbers
        kind, _source, *options = words
        yield int(number), Mount(plain(kind), device, plain(root), plain(point), options[0] if options else "")


def plain(word: str) -> str:
    """Undo the octal escapes of blanks and the like."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), word) if "\\" in word else word
