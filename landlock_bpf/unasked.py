# SPDX-License-Identifier: GPL-2.0-only
"""What `why` does not ask: refusals that are no policy's, and what cannot be seen from here."""

from __future__ import annotations

import os
import stat

from landlock_bpf import action_table, ascent, engine, statfs
from landlock_bpf.abi import Action

DOMAIN, MOUNTS, LINKS, NAMES = "domain", "mounts", "links", "names"

# What each word says, after "not asked: ".
WORDS = {
    DOMAIN: "what leads out of any domain is refused in all of them, whatever policies allow, and this may be such a thing",
    MOUNTS: "other mounts show it where it cannot be opened from here; all must allow this",
    LINKS: "it has several names; all that the kernel remembers must allow this",
    NAMES: "directories above it on its filesystem are mounted nowhere here; rules on missing paths that begin there hold, too",
}

# Filesystems of which files control the kernel: those of may_be_vital() in bpf/remember.h.
VITAL = {
    "PROC_SUPER_MAGIC": 0x9FA0,
    "SYSFS_MAGIC": 0x62656572,
    "CGROUP_SUPER_MAGIC": 0x27E0EB,
    "CGROUP2_SUPER_MAGIC": statfs.CGROUP2_SUPER_MAGIC,
    "BPF_FS_MAGIC": statfs.BPF_FS_MAGIC,
    "DEBUGFS_MAGIC": 0x64626720,
    "TRACEFS_MAGIC": 0x74726163,
    "SECURITYFS_MAGIC": 0x73636673,
    "EFIVARFS_MAGIC": 0xDE5E81E4,
    "CONFIGFS_MAGIC": 0x62656570,
    "BINFMTFS_MAGIC": 0x42494E4D,
    "NFSD_MAGIC": 0x6E667364,
    "FUSE_CTL_SUPER_MAGIC": 0x65735543,
}
_VITAL = frozenset(VITAL.values())
_CHANGING = (
    Action.WRITE_FILE | Action.TRUNCATE | Action.CHMOD | Action.CHOWN | Action.RECEIVE | Action.MOUNT
    | action_table.MAKING | action_table.REMOVING | Action.REFER
)  # fmt: skip
# Refused of the controller's records alone.
_OF_RECORDS = Action.READ_FILE | Action.READ_DIR | Action.EXECUTE | Action.SET_ACL | Action.FILE_SETATTR


def domain(action: Action, places: ascent.Ascent) -> bool:
    """Whether it may be refused in every domain."""
    if action == Action.MOUNT:
        return True  # by who else is in the mount namespace, where commands come to the engine, and what is mounted
    if not action & (_CHANGING | _OF_RECORDS):
        return False
    return bool(action & _CHANGING and statfs.magic(places.object) in _VITAL) or _is_record(places)


def _is_record(places: ascent.Ascent) -> bool:
    try:
        records = os.stat(engine.RUN)
    except OSError:
        return False
    return any(os.path.samestat(os.fstat(fd), records) for fd in places.fds)


def links(action: Action, places: ascent.Ascent) -> bool:
    """Whether it is asked under other names, too, of those that the kernel remembers: inode_permission() is told no name."""
    found = os.fstat(places.object)
    return bool(action & Action.ACCESS) and not stat.S_ISDIR(found.st_mode) and found.st_nlink > 1
