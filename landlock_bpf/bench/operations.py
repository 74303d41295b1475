# SPDX-License-Identifier: GPL-2.0-only
"""What is measured beside open(2), each in a tree of depth 4: the table that goes with OPERATIONS of operations.c."""

from __future__ import annotations

import dataclasses

from landlock_bpf import abi, action_table
from landlock_bpf.bench import tree, workload

ON_FILE, ON_PROGRAM, ON_DIRECTORY = "file", "program", "directory"
# Of what makes inodes this many are timed together: in fewer, what is done once in a few of them makes a figure jump.
INODES = 32
Action = abi.Action
ALL = action_table.ALL  # every action but those that are to be named


@dataclasses.dataclass(frozen=True)
class Operation:
    """One measured operation; `times` system calls of its kind make one, so that a rename there and back counts as two."""

    name: str
    text: str
    does: str = ""  # its name in operations.c, if another
    on: str = ON_FILE
    times: int = 1
    batch: int = workload.BATCH
    samples: int = 1  # the best counts: what a start takes depends on what memory the kernel has at hand
    also: Action = Action(0)  # handled beside all that `all` means
    but: Action = Action(0)  # not handled
    compared: bool = True  # the system calls check the same
    hooks: tuple[str, ...] = ()  # of BPF_LSM_CGROUP, which is measured with an empty program at each

    @property
    def function(self) -> str:
        return self.does or self.name

    @property
    def handled(self) -> Action:
        """What our engine handles."""
        return (ALL | self.also) & ~self.but

    def subject(self, depth: int) -> tuple[str, str, str]:
        """Give what it is done to: a file, and two names, one beside it and one in another directory."""
        folder, other = tree.folder(depth, 0), tree.folder(depth, 1)
        # Each has a file of its own: one that was ever locked is dearer to close.
        name = {ON_FILE: f"{folder}/{self.name}", ON_PROGRAM: f"{folder}/{tree.PROGRAM}", ON_DIRECTORY: folder}[self.on]
        return name, f"{folder}/new", f"{other}/new"


OPERATIONS = (
    Operation("open", "open(2) for reading, close(2)", hooks=("file_open",)),
    Operation("open-write", "open(2) for writing, close(2)", hooks=("file_open",)),
    Operation(
        "create", "open(2) of a new file, close(2), unlink(2)", batch=INODES, hooks=("path_mknod", "file_open", "path_unlink")
    ),
    Operation("mkdir", "mkdir(2), rmdir(2)", batch=INODES, hooks=("path_mkdir", "path_rmdir")),
    Operation("link", "link(2) within a directory, unlink(2)", hooks=("path_link", "path_unlink")),
    Operation("rename", "rename(2) within a directory", times=2, hooks=("path_rename",)),
    Operation("move", "rename(2) to another directory", times=2, hooks=("path_rename",)),
    Operation("truncate", "truncate(2) to the size it has", hooks=("path_truncate",)),
    Operation(
        "exec", "vfork(2), execve(2) of a program that ends, waitpid(2); map_exec not handled", on=ON_PROGRAM, batch=1,
        samples=5, but=Action.MAP_EXEC, hooks=("file_open",),
    ),
    Operation(
        "exec-map", "as exec, map_exec handled: asked at each mapping", does="exec", on=ON_PROGRAM, batch=1, samples=5,
        compared=False, hooks=("file_open", "mmap_file"),
    ),
    Operation("stat", "stat(2)", compared=False, hooks=("inode_getattr",)),
    Operation("chmod", "chmod(2) to the mode it has", compared=False, hooks=("path_chmod",)),
    Operation("lock", "flock(2) of an open file, and its end", compared=False, times=2, hooks=("file_lock",)),
    Operation("read", "pread(2) of 4 KiB from an open file", compared=False, hooks=("file_permission",)),
    Operation("write", "pwrite(2) of 4 KiB to an open file", compared=False, hooks=("file_permission",)),
    Operation("access", "access(2), access handled", also=Action.ACCESS, compared=False, hooks=("inode_permission",)),
    Operation(
        "chdir", "fchdir(2), chdir handled", on=ON_DIRECTORY, also=Action.CHDIR, compared=False, hooks=("inode_permission",)
    ),
    Operation(
        "open-all", "as open, chdir and access handled too", does="open", also=Action.CHDIR | Action.ACCESS, compared=False,
        hooks=("file_open", "inode_permission"),
    ),
)  # fmt: skip
# What opens nothing and asks nothing: a policy must cost nothing there.
FREE = ("read", "write")
# What a start takes wavers by more than a policy adds.
WAVERING = ("exec",)
# The files that they are done to.
PAGES = tuple(each.name for each in OPERATIONS if each.on == ON_FILE)
