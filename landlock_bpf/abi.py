# SPDX-License-Identifier: GPL-2.0-only
"""Numbers and records shared with the engine. Generated from bpf/abi.h by `python -m landlock_bpf.abigen`: do not edit."""

from __future__ import annotations

import ctypes
import enum


class Limit(enum.IntEnum):
    """enum limit."""

    LAYERS = 16
    RULES = 10000
    DOMAINS = 1000
    RULESETS = 2048
    OBJECTS = 262144
    CGROUPS = 65536
    DEPTH = 256
    OPENED = 65536
    NAME = 64
    PATH = 4096
    COMPONENT = 256
    CROSSED = 64
    WALKED = 16
    MARKS = 65536
    MARK_BITS = 16
    FILTER_BITS = 22


class Action(enum.IntFlag):
    """enum action."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


class Hook(enum.IntEnum):
    """enum hook."""

    FILE_OPEN = 0
    FILE_TRUNCATE = 1
    FILE_IOCTL = 2
    FILE_IOCTL_COMPAT = 3
    PATH_TRUNCATE = 4
    PATH_UNLINK = 5
    PATH_RMDIR = 6
    PATH_MKDIR = 7
    PATH_MKNOD = 8
    PATH_SYMLINK = 9
    PATH_LINK = 10
    PATH_RENAME = 11
    SB_MOUNT = 12
    MOVE_MOUNT = 13
    SB_UMOUNT = 14
    SB_REMOUNT = 15
    SB_PIVOTROOT = 16


class Reason(enum.IntEnum):
    """enum reason."""

    RULE = 0
    NO_RULE = 1
    SEALED = 2
    REFER = 3
    MOUNT = 4
    OPENED = 5
    DETACHED = 6
    DISCONNECTED = 7
    DEPTH = 8
    RACE = 9
    FULL = 10


class End(enum.IntEnum):
    """enum end."""

    NONE = 0
    SETTLED = 1
    ROOT = 2
    DETACHED = 3
    DISCONNECTED = 4


class Subvol(enum.IntEnum):
    """enum subvol."""

    OVERLAY = 63


class Kind(enum.IntEnum):
    """enum kind."""

    NONE = 0
    CGROUP = 1
    PROCESS = 2


class Object(ctypes.Structure):
    """struct object: 24 bytes."""

    _fields_ = [
        ("ino", ctypes.c_uint64),
        ("subvol", ctypes.c_uint64),
        ("dev", ctypes.c_uint32),
        ("generation", ctypes.c_uint32),
    ]


class FsviewKey(ctypes.Structure):
    """struct fsview_key: 32 bytes."""

    _fields_ = [
        ("object", Object),
        ("ruleset", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    ]


class Rule(ctypes.Structure):
    """struct rule: 264 bytes."""

    _fields_ = [
        ("allowed", ctypes.c_uint64 * 16),
        ("denied", ctypes.c_uint64 * 16),
        ("sealed", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    ]


class Marks(ctypes.Structure):
    """struct marks: 524288 bytes."""

    _fields_ = [
        ("word", ctypes.c_uint64 * 65536),
    ]


class Ruleset(ctypes.Structure):
    """struct ruleset: 152 bytes."""

    _fields_ = [
        ("serial", ctypes.c_uint64),
        ("handled", ctypes.c_uint64 * 16),
        ("handled_any", ctypes.c_uint64),
        ("layers", ctypes.c_uint32),
        ("default_allow", ctypes.c_uint32),
    ]


class Domain(ctypes.Structure):
    """struct domain: 104 bytes."""

    _fields_ = [
        ("ruleset", ctypes.c_uint32),
        ("kind", ctypes.c_uint32),
        ("cgroup", ctypes.c_uint64),
        ("maker_start", ctypes.c_uint64),
        ("maker", ctypes.c_uint32),
        ("parent", ctypes.c_uint32),
        ("forks", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
        ("name", ctypes.c_char * 64),
    ]


class Walked(ctypes.Structure):
    """struct walked: 72 bytes."""

    _fields_ = [
        ("dentry", ctypes.c_uint64),
        ("mount", ctypes.c_uint64),
        ("object", Object),
        ("serial", ctypes.c_uint64),
        ("refused", ctypes.c_uint64),
        ("rename_seq", ctypes.c_uint32),
        ("mount_seq", ctypes.c_uint32),
        ("plain", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    ]


class Decision(ctypes.Structure):
    """struct decision: 424 bytes."""

    _fields_ = [
        ("pending", ctypes.c_uint64 * 16),
        ("refused", ctypes.c_uint64 * 16),
        ("shaded", ctypes.c_uint64 * 16),
        ("object", Object),
        ("layer", ctypes.c_uint32),
        ("reason", ctypes.c_uint32),
        ("layers", ctypes.c_uint32),
        ("denied", ctypes.c_uint32),
    ]


class Walk(ctypes.Structure):
    """struct walk: 520 bytes."""

    _fields_ = [
        ("decision", Decision),
        ("key", FsviewKey),
        ("from_dentry", ctypes.c_uint64),
        ("from_mount", ctypes.c_uint64),
        ("dentry", ctypes.c_uint64),
        ("mount", ctypes.c_uint64),
        ("own", ctypes.c_uint64),
        ("end", ctypes.c_uint32),
        ("hidden", ctypes.c_uint32),
        ("depth", ctypes.c_uint32),
        ("rename_seq", ctypes.c_uint32),
        ("mount_seq", ctypes.c_uint32),
        ("unnamed", ctypes.c_uint32),
    ]


class Refer(ctypes.Structure):
    """struct refer: 64 bytes."""

    _fields_ = [
        ("mount", ctypes.c_uint64),
        ("old_dentry", ctypes.c_uint64),
        ("new_dentry", ctypes.c_uint64),
        ("old_parent", ctypes.c_uint64),
        ("new_parent", ctypes.c_uint64),
        ("leaves", ctypes.c_uint64),
        ("arrives", ctypes.c_uint64),
        ("hook", ctypes.c_uint32),
        ("removes", ctypes.c_uint16),
        ("exchange", ctypes.c_uint16),
    ]


class Opened(ctypes.Structure):
    """struct opened: 48 bytes."""

    _fields_ = [
        ("refused", ctypes.c_uint64),
        ("serial", ctypes.c_uint64),
        ("object", Object),
        ("domain", ctypes.c_uint32),
        ("layer", ctypes.c_uint32),
    ]


class Sight(ctypes.Structure):
    """struct sight: 24 bytes."""

    _fields_ = [
        ("serial", ctypes.c_uint64),
        ("handled_any", ctypes.c_uint64),
        ("index", ctypes.c_uint32),
        ("domain", ctypes.c_uint32),
    ]


class Task(ctypes.Structure):
    """struct task: 2336 bytes."""

    _fields_ = [
        ("domain", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
        ("sight", Sight),
        ("refer", Refer),
        ("kept", Opened),
        ("walked", Walked * 16),
        ("walks", Walk * 2),
    ]


class Names(ctypes.Structure):
    """struct names: 4360 bytes."""

    _fields_ = [
        ("bytes", ctypes.c_uint32),
        ("truncated", ctypes.c_uint32),
        ("text", ctypes.c_char * 4352),
    ]


class Denial(ctypes.Structure):
    """struct denial: 8816 bytes."""

    _fields_ = [
        ("time", ctypes.c_uint64),
        ("refused", ctypes.c_uint64),
        ("serial", ctypes.c_uint64),
        ("object", Object),
        ("domain", ctypes.c_uint32),
        ("layer", ctypes.c_uint32),
        ("hook", ctypes.c_uint32),
        ("reason", ctypes.c_uint32),
        ("pid", ctypes.c_uint32),
        ("tid", ctypes.c_uint32),
        ("uid", ctypes.c_uint32),
        ("error", ctypes.c_int32),
        ("comm", ctypes.c_char * 16),
        ("path", Names),
        ("second", Names),
    ]


class Layout(ctypes.Structure):
    """struct layout: 40 bytes."""

    _fields_ = [
        ("btrfs", ctypes.c_uint32),
        ("btrfs_root", ctypes.c_int32),
        ("btrfs_objectid", ctypes.c_uint32),
        ("overlay", ctypes.c_uint32),
        ("overlay_upper", ctypes.c_int32),
        ("overlay_entry", ctypes.c_int32),
        ("overlay_layers", ctypes.c_uint32),
        ("overlay_stack", ctypes.c_uint32),
        ("overlay_step", ctypes.c_uint32),
        ("overlay_dentry", ctypes.c_uint32),
    ]


class State(ctypes.Structure):
    """struct state: 64 bytes."""

    _fields_ = [
        ("lost", ctypes.c_uint64),
        ("opened", ctypes.c_uint64),
        ("process_domains", ctypes.c_uint32),
        ("orphans", ctypes.c_uint32),
        ("layout", Layout),
    ]


class Named(ctypes.Structure):
    """struct named: 96 bytes."""

    _fields_ = [
        ("fd", ctypes.c_uint32),
        ("mode", ctypes.c_uint32),
        ("object", Object),
        ("beneath", Object),
        ("upper", Object),
        ("magic", ctypes.c_uint64),
        ("known", ctypes.c_uint32),
        ("exportable", ctypes.c_uint32),
    ]


# By the names that they have in C.
RECORDS = {
    "object": Object,
    "fsview_key": FsviewKey,
    "rule": Rule,
    "marks": Marks,
    "ruleset": Ruleset,
    "domain": Domain,
    "walked": Walked,
    "decision": Decision,
    "walk": Walk,
    "refer": Refer,
    "opened": Opened,
    "sight": Sight,
    "task": Task,
    "names": Names,
    "denial": Denial,
    "layout": Layout,
    "state": State,
    "named": Named,
}
