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
    WALKED = 256
    MARKS = 65536
    MARK_BITS = 16
    FILTER_BITS = 22
    PROGRAMS = 1024
    SOURCES = 64
    QUESTIONS = 4
    VIEWS = 8
    MARKED = 65536
    ALIASES = 16
    SHOWN = 1024
    PATTERNS = 64
    NAMES = 65536
    MISSING = 8
    COMMAND_CLASSES = 15
    COMMANDS = 65536
    CREATORS = 4096
    DEPARTED = 4096
    APPROACH = 32


class Event(enum.IntEnum):
    """enum event."""

    NONE = 0
    FS = 1
    FS_IOCTL = 2
    FS_LOCK = 3
    FS_FCNTL = 4


class ActionFs(enum.IntFlag):
    """enum action_fs."""

    EXEC = 1 << 0
    WRITE = 1 << 1
    READ = 1 << 2
    NEW = 1 << 3
    GET = 1 << 4
    REMOVE = 1 << 5
    IOCTL = 1 << 6
    LOCK = 1 << 7
    FCNTL = 1 << 8


class Handle(enum.IntEnum):
    """enum handle."""

    NONE = 0
    FILE = 1
    INODE = 2
    PATH = 3
    DENTRY = 4


class HandlePart(enum.IntEnum):
    """enum handle_part."""

    ERROR = 16
    QUESTION = 32
    TAG = 48
    MAGIC = 19532


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
    CHDIR = 1 << 16
    ACCESS = 1 << 17
    STAT = 1 << 18
    READLINK = 1 << 19
    GETXATTR = 1 << 20
    LISTXATTR = 1 << 21
    FILE_GETATTR = 1 << 22
    CHMOD = 1 << 23
    CHOWN = 1 << 24
    UTIME = 1 << 25
    SETXATTR = 1 << 26
    REMOVEXATTR = 1 << 27
    SET_ACL = 1 << 28
    FILE_SETATTR = 1 << 29
    LOCK = 1 << 30
    FCNTL = 1 << 31
    IOCTL = 1 << 32
    MAP_EXEC = 1 << 33
    CHROOT = 1 << 34
    RECEIVE = 1 << 35
    RESOLVE_UNIX = 1 << 36
    MOUNT = 1 << 37
    OPEN_BLOCK = 1 << 38


class ActionBit(enum.IntEnum):
    """enum action_bit."""

    COMMANDS = 48


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
    BINDER_TRANSFER_FILE = 17
    SB_STATFS = 18
    INODE_CREATE = 19
    INODE_LINK = 20
    INODE_UNLINK = 21
    INODE_SYMLINK = 22
    INODE_MKDIR = 23
    INODE_RMDIR = 24
    INODE_MKNOD = 25
    INODE_RENAME = 26
    INODE_READLINK = 27
    INODE_FOLLOW_LINK = 28
    INODE_PERMISSION = 29
    INODE_SETATTR = 30
    INODE_GETATTR = 31
    INODE_SETXATTR = 32
    INODE_GETXATTR = 33
    INODE_LISTXATTR = 34
    INODE_REMOVEXATTR = 35
    INODE_SETSECURITY = 36
    FILE_PERMISSION = 37
    FILE_LOCK = 38
    FILE_FCNTL = 39
    MMAP_FILE = 40
    FILE_MPROTECT = 41
    FILE_RECEIVE = 42
    INODE_SET_ACL = 43
    INODE_GET_ACL = 44
    INODE_REMOVE_ACL = 45
    INODE_FILE_GETATTR = 46
    INODE_FILE_SETATTR = 47
    URING_CMD = 48
    PATH_NOTIFY = 49
    PTRACE_ACCESS_CHECK = 50
    PTRACE_TRACEME = 51
    PATH_CHMOD = 52
    PATH_CHOWN = 53
    PATH_CHROOT = 54
    UNIX_STREAM_CONNECT = 55
    UNIX_MAY_SEND = 56
    TASK_ALLOC = 57
    BPF = 58
    LOCKED_DOWN = 59
    KERNEL_LOAD_DATA = 60
    KERNEL_READ_FILE = 61
    PERF_EVENT_OPEN = 62
    SB_SET_MNT_OPTS = 63


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
    PROGRAM = 11
    PTRACE = 12
    MISSING = 13
    NAMED = 14
    DOMAIN = 15
    CROWDED = 16


class End(enum.IntEnum):
    """enum end."""

    NONE = 0
    SETTLED = 1
    ROOT = 2
    DETACHED = 3
    DISCONNECTED = 4


class WalkMode(enum.IntEnum):
    """enum walk_mode."""

    DECIDE = 0
    GATHER = 1
    COLLECT = 2


class ViewingStep(enum.IntEnum):
    """enum viewing_step."""

    MOUNT = 0
    UP = 1
    END = 2
    LOST = 3


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
    """struct rule: 272 bytes."""

    _fields_ = [
        ("allowed", ctypes.c_uint64 * 16),
        ("denied", ctypes.c_uint64 * 16),
        ("trees", ctypes.c_uint64),
        ("sealed", ctypes.c_uint32),
        ("named", ctypes.c_uint32),
    ]


class NameKey(ctypes.Structure):
    """struct name_key: 40 bytes."""

    _fields_ = [
        ("parent", Object),
        ("hash", ctypes.c_uint64),
        ("ruleset", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    ]


class PatternKey(ctypes.Structure):
    """struct pattern_key: 8 bytes."""

    _fields_ = [
        ("ruleset", ctypes.c_uint32),
        ("number", ctypes.c_uint32),
    ]


class Pattern(ctypes.Structure):
    """struct pattern: 328 bytes."""

    _fields_ = [
        ("head_hash", ctypes.c_uint64),
        ("tail_hash", ctypes.c_uint64),
        ("head", ctypes.c_uint32),
        ("tail", ctypes.c_uint32),
        ("exact", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
        ("tree", Object),
        ("rule", Rule),
    ]


class CommandKey(ctypes.Structure):
    """struct command_key: 8 bytes."""

    _fields_ = [
        ("ruleset", ctypes.c_uint32),
        ("command", ctypes.c_uint32),
    ]


class Marks(ctypes.Structure):
    """struct marks: 524288 bytes."""

    _fields_ = [
        ("word", ctypes.c_uint64 * 65536),
    ]


class Programs(ctypes.Structure):
    """struct programs: 24 bytes."""

    _fields_ = [
        ("hooks", ctypes.c_uint64),
        ("views", ctypes.c_uint64),
        ("slot", ctypes.c_uint32),
        ("layer", ctypes.c_uint32),
    ]


class Ruleset(ctypes.Structure):
    """struct ruleset: 704 bytes."""

    _fields_ = [
        ("serial", ctypes.c_uint64),
        ("handled", ctypes.c_uint64 * 16),
        ("handled_any", ctypes.c_uint64),
        ("default_allow", ctypes.c_uint64 * 16),
        ("layers", ctypes.c_uint32),
        ("permissive", ctypes.c_uint32),
        ("lengths", ctypes.c_uint64),
        ("tails", ctypes.c_uint64),
        ("patterns", ctypes.c_uint32),
        ("commands", ctypes.c_uint32),
        ("diskless", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
        ("hooks_any", ctypes.c_uint64),
        ("programs", Programs * 16),
    ]


class ViewKey(ctypes.Structure):
    """struct view_key: 32 bytes."""

    _fields_ = [
        ("object", Object),
        ("views", ctypes.c_uint64),
    ]


class RuleRun(ctypes.Structure):
    """struct rule_run: 280 bytes."""

    _fields_ = [
        ("rule", Rule),
        ("objects", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    ]


class Filling(ctypes.Structure):
    """struct filling: 24 bytes."""

    _fields_ = [
        ("objects", ctypes.c_uint64),
        ("runs", ctypes.c_uint64),
        ("count", ctypes.c_uint32),
        ("ruleset", ctypes.c_uint32),
    ]


class ViewMarks(ctypes.Structure):
    """struct view_marks: 40 bytes."""

    _fields_ = [
        ("marks", ctypes.c_uint32 * 8),
        ("ways", ctypes.c_uint32),
        ("all", ctypes.c_uint32),
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
        ("sticky", ctypes.c_uint32),
        ("name", ctypes.c_char * 64),
    ]


class Moves(ctypes.Structure):
    """struct moves: 8 bytes."""

    _fields_ = [
        ("files", ctypes.c_uint32),
        ("rename_seq", ctypes.c_uint32),
    ]


class Epoch(ctypes.Structure):
    """struct epoch: 16 bytes."""

    _fields_ = [
        ("rename_seq", ctypes.c_uint32),
        ("tree_seq", ctypes.c_uint32),
        ("mount_seq", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    ]


class Walked(ctypes.Structure):
    """struct walked: 96 bytes."""

    _fields_ = [
        ("dentry", ctypes.c_uint64),
        ("parent", ctypes.c_uint64),
        ("mount", ctypes.c_uint64),
        ("object", Object),
        ("serial", ctypes.c_uint64),
        ("refused", ctypes.c_uint64),
        ("time", ctypes.c_uint64),
        ("rename_seq", ctypes.c_uint32),
        ("tree_seq", ctypes.c_uint32),
        ("mount_seq", ctypes.c_uint32),
        ("quick", ctypes.c_uint32),
        ("version", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    ]


class Decision(ctypes.Structure):
    """struct decision: 432 bytes."""

    _fields_ = [
        ("pending", ctypes.c_uint64 * 16),
        ("refused", ctypes.c_uint64 * 16),
        ("shaded", ctypes.c_uint64 * 16),
        ("object", Object),
        ("layer", ctypes.c_uint32),
        ("reason", ctypes.c_uint32),
        ("layers", ctypes.c_uint32),
        ("denied", ctypes.c_uint32),
        ("skip", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    ]


class Walk(ctypes.Structure):
    """struct walk: 912 bytes."""

    _fields_ = [
        ("decision", Decision),
        ("key", FsviewKey),
        ("from_dentry", ctypes.c_uint64),
        ("from_mount", ctypes.c_uint64),
        ("dentry", ctypes.c_uint64),
        ("mount", ctypes.c_uint64),
        ("own", ctypes.c_uint64),
        ("root", ctypes.c_uint64),
        ("end", ctypes.c_uint32),
        ("hidden", ctypes.c_uint32),
        ("depth", ctypes.c_uint32),
        ("own_depth", ctypes.c_uint32),
        ("epoch", Epoch),
        ("unnamed", ctypes.c_uint32),
        ("index", ctypes.c_uint32),
        ("mode", ctypes.c_uint32),
        ("sealed", ctypes.c_uint32),
        ("way", ctypes.c_uint32),
        ("plain", ctypes.c_uint32),
        ("trees", ctypes.c_uint64),
        ("gathered", ctypes.c_uint64),
        ("own_trees", ctypes.c_uint64),
        ("lengths", ctypes.c_uint64),
        ("tails", ctypes.c_uint64),
        ("name_key", NameKey),
        ("pattern_key", PatternKey),
        ("name", ctypes.c_char * 256),
    ]


class Touch(enum.IntEnum):
    """enum touch."""

    NOTHING = 0
    REMOVED = 1
    MADE = 2
    MADE_DIR = 3


class Access(ctypes.Structure):
    """struct access: 56 bytes."""

    _fields_ = [
        ("mount", ctypes.c_uint64),
        ("dentry", ctypes.c_uint64),
        ("target", ctypes.c_uint64),
        ("asked", ctypes.c_uint64),
        ("optional", ctypes.c_uint64),
        ("hook", ctypes.c_uint32),
        ("command", ctypes.c_uint32),
        ("error", ctypes.c_int32),
        ("touches", ctypes.c_uint16),
        ("ioctl", ctypes.c_uint16),
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
        ("removes", ctypes.c_uint8),
        ("exchange", ctypes.c_uint8),
        ("unsealed", ctypes.c_uint8),
        ("pad", ctypes.c_uint8),
    ]


class Opened(ctypes.Structure):
    """struct opened: 56 bytes."""

    _fields_ = [
        ("refused", ctypes.c_uint64),
        ("noted", ctypes.c_uint64),
        ("serial", ctypes.c_uint64),
        ("object", Object),
        ("domain", ctypes.c_uint32),
        ("layer", ctypes.c_uint32),
    ]


class Sight(ctypes.Structure):
    """struct sight: 48 bytes."""

    _fields_ = [
        ("serial", ctypes.c_uint64),
        ("handled_any", ctypes.c_uint64),
        ("lengths", ctypes.c_uint64),
        ("tails", ctypes.c_uint64),
        ("index", ctypes.c_uint32),
        ("domain", ctypes.c_uint32),
        ("permissive", ctypes.c_uint32),
        ("patterns", ctypes.c_uint32),
    ]


class Question(ctypes.Structure):
    """struct question: 96 bytes."""

    _fields_ = [
        ("handle", ctypes.c_uint64),
        ("arg2", ctypes.c_uint64),
        ("mount", ctypes.c_uint64),
        ("dentry", ctypes.c_uint64),
        ("inode", ctypes.c_uint64),
        ("event", ctypes.c_uint32),
        ("kind", ctypes.c_uint32),
        ("seen", ViewMarks),
        ("error", ctypes.c_int32),
        ("pad", ctypes.c_uint32),
    ]


class Asked(ctypes.Structure):
    """struct asked: 40 bytes."""

    _fields_ = [
        ("programs", Programs),
        ("serial", ctypes.c_uint64),
        ("domain", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    ]


class Inquiry(ctypes.Structure):
    """struct inquiry: 1048 bytes."""

    _fields_ = [
        ("hook", ctypes.c_uint32),
        ("questions", ctypes.c_uint32),
        ("places", ctypes.c_uint32),
        ("place", ctypes.c_uint32),
        ("denied", ctypes.c_uint32),
        ("denied_question", ctypes.c_uint32),
        ("question", Question * 4),
        ("asked", Asked * 16),
    ]


class Viewing(ctypes.Structure):
    """struct viewing: 208 bytes."""

    _fields_ = [
        ("key", ViewKey),
        ("found", ViewMarks),
        ("seen", ViewMarks),
        ("alias", ctypes.c_uint64),
        ("start", ctypes.c_uint64),
        ("shown", ctypes.c_uint64),
        ("mount", ctypes.c_uint64),
        ("dentry", ctypes.c_uint64),
        ("step", ctypes.c_uint32),
        ("single", ctypes.c_uint32),
        ("decided", ctypes.c_uint32),
        ("visible", ctypes.c_uint32),
        ("hidden", ctypes.c_uint32),
        ("walks", ctypes.c_uint32),
        ("aliases", ctypes.c_uint32),
        ("mounts", ctypes.c_uint32),
        ("depth", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
        ("epoch", Epoch),
    ]


class Task(ctypes.Structure):
    """struct task: 16 bytes."""

    _fields_ = [
        ("domain", ctypes.c_uint32),
        ("drawn", ctypes.c_uint32),
        ("held", ctypes.c_uint64),
    ]


class Departed(ctypes.Structure):
    """struct departed: 24 bytes."""

    _fields_ = [
        ("start", ctypes.c_uint64),
        ("held", ctypes.c_uint64),
        ("drawn", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    ]


class Room(ctypes.Structure):
    """struct room: 3304 bytes."""

    _fields_ = [
        ("sight", Sight),
        ("access", Access),
        ("refer", Refer),
        ("kept", Opened),
        ("walks", Walk * 2),
        ("inquiry", Inquiry),
        ("viewing", Viewing),
    ]


class Names(ctypes.Structure):
    """struct names: 4360 bytes."""

    _fields_ = [
        ("bytes", ctypes.c_uint32),
        ("truncated", ctypes.c_uint16),
        ("absent", ctypes.c_uint16),
        ("text", ctypes.c_char * 4352),
    ]


class Refusal(ctypes.Structure):
    """struct refusal: 72 bytes."""

    _fields_ = [
        ("refused", ctypes.c_uint64),
        ("serial", ctypes.c_uint64),
        ("object", Object),
        ("domain", ctypes.c_uint32),
        ("layer", ctypes.c_uint32),
        ("hook", ctypes.c_uint32),
        ("reason", ctypes.c_uint32),
        ("rule", ctypes.c_uint32),
        ("command", ctypes.c_uint32),
        ("error", ctypes.c_int32),
        ("event", ctypes.c_uint16),
        ("permissive", ctypes.c_uint8),
        ("ioctl", ctypes.c_uint8),
    ]


class Denial(ctypes.Structure):
    """struct denial: 8832 bytes."""

    _fields_ = [
        ("time", ctypes.c_uint64),
        ("refusal", Refusal),
        ("pid", ctypes.c_uint32),
        ("tid", ctypes.c_uint32),
        ("uid", ctypes.c_uint32),
        ("dropped", ctypes.c_uint32),
        ("comm", ctypes.c_char * 16),
        ("path", Names),
        ("second", Names),
    ]


class Layout(ctypes.Structure):
    """struct layout: 48 bytes."""

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
        ("overlay_creator", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    ]


class Rate(ctypes.Structure):
    """struct rate: 24 bytes."""

    _fields_ = [
        ("start", ctypes.c_uint64),
        ("reported", ctypes.c_uint32),
        ("dropped", ctypes.c_uint32),
        ("dropped_ever", ctypes.c_uint64),
    ]


class State(ctypes.Structure):
    """struct state: 880 bytes."""

    _fields_ = [
        ("lost", ctypes.c_uint64),
        ("opened", ctypes.c_uint64),
        ("escaped", ctypes.c_uint64),
        ("departed", ctypes.c_uint64),
        ("orphans", ctypes.c_uint64),
        ("records_ino", ctypes.c_uint64),
        ("records_dev", ctypes.c_uint32),
        ("process_domains", ctypes.c_uint32),
        ("rate", ctypes.c_uint32),
        ("entering", ctypes.c_uint32),
        ("layout", Layout),
        ("approach", Object * 32),
    ]


class Approached(ctypes.Structure):
    """struct approached: 32 bytes."""

    _fields_ = [
        ("fd", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
        ("object", Object),
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


class Explained(ctypes.Structure):
    """struct explained: 768 bytes."""

    _fields_ = [
        ("fd", ctypes.c_uint32),
        ("mode", ctypes.c_uint32),
        ("object", Object),
        ("decided", Object),
        ("refused", ctypes.c_uint64 * 16),
        ("reason", ctypes.c_uint32),
        ("denied", ctypes.c_uint32),
        ("end", ctypes.c_uint32),
        ("sealed", ctypes.c_uint32),
        ("gains", ctypes.c_uint32),
        ("escapes", ctypes.c_uint32),
        ("asked", ctypes.c_uint64),
        ("trees", ctypes.c_uint64),
        ("rule", Rule),
        ("beneath", Rule),
    ]


class Explaining(ctypes.Structure):
    """struct explaining: 4560 bytes."""

    _fields_ = [
        ("asked", ctypes.c_uint64),
        ("ruleset", ctypes.c_uint32),
        ("skip", ctypes.c_uint32),
        ("source", ctypes.c_uint32),
        ("target", ctypes.c_uint32),
        ("command", ctypes.c_uint32),
        ("ioctl", ctypes.c_uint32),
        ("mount", ctypes.c_uint64),
        ("dentry", ctypes.c_uint64),
        ("gainable", ctypes.c_uint64),
        ("moved", Decision),
        ("answer", Explained),
        ("room", Room),
    ]


class Judged(ctypes.Structure):
    """struct judged: 4368 bytes."""

    _fields_ = [
        ("fd", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
        ("path", Names),
    ]


class Judging(ctypes.Structure):
    """struct judging: 7680 bytes."""

    _fields_ = [
        ("ruleset", ctypes.c_uint32),
        ("skip", ctypes.c_uint32),
        ("answer", Judged),
        ("room", Room),
    ]


# By the names that they have in C.
RECORDS = {
    "object": Object,
    "fsview_key": FsviewKey,
    "rule": Rule,
    "name_key": NameKey,
    "pattern_key": PatternKey,
    "pattern": Pattern,
    "command_key": CommandKey,
    "marks": Marks,
    "programs": Programs,
    "ruleset": Ruleset,
    "view_key": ViewKey,
    "rule_run": RuleRun,
    "filling": Filling,
    "view_marks": ViewMarks,
    "domain": Domain,
    "moves": Moves,
    "epoch": Epoch,
    "walked": Walked,
    "decision": Decision,
    "walk": Walk,
    "access": Access,
    "refer": Refer,
    "opened": Opened,
    "sight": Sight,
    "question": Question,
    "asked": Asked,
    "inquiry": Inquiry,
    "viewing": Viewing,
    "task": Task,
    "departed": Departed,
    "room": Room,
    "names": Names,
    "refusal": Refusal,
    "denial": Denial,
    "layout": Layout,
    "rate": Rate,
    "state": State,
    "approached": Approached,
    "named": Named,
    "explained": Explained,
    "explaining": Explaining,
    "judged": Judged,
    "judging": Judging,
}
