# SPDX-License-Identifier: GPL-2.0-only
"""The scene as a member knows it: the tree that operations are tried in, who is outside, and what is wanted of the tree."""

from __future__ import annotations

import dataclasses
import json
import struct
from pathlib import Path
from typing import Any

WORK, SECRET, RO = "work", "work/secret", "ro"
BOUND = "bound"  # a bind mount of SECRET
EVERYTHING = "/"

TEXT = "text"
ATTRIBUTE = "user.attribute"
ACL = "system.posix_acl_access"
# Version 2, then tag, permissions and id; the second is of a user: what a mode can say is not kept as an ACL.
ACL_VALUE = struct.pack("=I", 2) + b"".join(
    struct.pack("=HHi", *each) for each in ((1, 6, -1), (2, 4, 1), (4, 4, -1), (0x10, 4, -1), (0x20, 4, -1))
)
PROGRAM = Path("/bin/true")

INSIDE, BENEATH, BESIDE, READ_ONLY, ELSEWHERE = "inside", "beneath", "beside", "read-only", "elsewhere"
# The folder, relative to the scene's root, that an operation at each place has for itself, filled afresh before each.
PLACES = {
    INSIDE: "work/secret",
    BENEATH: "work/secret/deep/deeper",
    BESIDE: "work/beside",
    READ_ONLY: "ro/folder",
    ELSEWHERE: "other",
}


@dataclasses.dataclass(frozen=True)
class Statement:
    """What is wanted of one folder and all beneath it, up to a nearer statement: may it be read, written, its metadata changed.

    `path` is relative to the scene's root, or EVERYTHING.
    """

    path: str
    read: bool
    write: bool
    metadata: bool


@dataclasses.dataclass(frozen=True)
class Scene:
    """The tree's root, on a tmpfs of its own, the policy's file and what it says, and how operations find who is outside.

    `outsider` is a process outside, `abstract` the name of a socket, `tcp` and `udp` are ports it has on the loopback
    device. A member inherits three descriptors: `channel`, over which it gets others; `folder`, the denied tree opened with
    O_PATH; and `file`, a denied file opened to be read.
    """

    root: Path
    policy: str
    statements: tuple[Statement, ...]
    outsider: int
    abstract: str
    tcp: int
    udp: int
    channel: int
    folder: int
    file: int

    @property
    def work(self) -> Path:
        return self.root / WORK

    @property
    def secret(self) -> Path:
        return self.root / SECRET

    @property
    def bound(self) -> Path:
        return self.root / BOUND

    @property
    def ro(self) -> Path:
        return self.root / RO

    @property
    def descriptors(self) -> tuple[int, ...]:
        """List what a member is to inherit, beside what it is asked through."""
        return self.channel, self.folder, self.file

    def at(self, place: str) -> Path:
        """Give the folder of a place."""
        return self.root / PLACES[place]

    def wanted(self, place: str) -> Statement:
        """Find what is wanted at a place: the nearest statement on the way up."""
        path = Path(PLACES[place])
        known = {statement.path: statement for statement in self.statements}
        for each in (path, *path.parents):
            if str(each) in known:
                return known[str(each)]
        return known[EVERYTHING]

    def dump(self) -> str:
        """Write it down for a member."""
        return json.dumps({**dataclasses.asdict(self), "root": str(self.root)})


def load(text: str) -> Scene:
    """Read what Scene.dump() wrote."""
    said: dict[str, Any] = json.loads(text)
    statements = tuple(Statement(**each) for each in said.pop("statements"))
    return Scene(root=Path(said.pop("root")), statements=statements, **said)
