# SPDX-License-Identifier: GPL-2.0-only
"""Groups of actions, by what they stand for: of the ABIs as landlock(7) has them, and of ours."""

from __future__ import annotations

from landlock_bpf.abi import Action

READ = Action.READ_FILE | Action.READ_DIR
REMOVE = Action.REMOVE_DIR | Action.REMOVE_FILE
MAKE = (
    Action.MAKE_CHAR
    | Action.MAKE_DIR
    | Action.MAKE_REG
    | Action.MAKE_SOCK
    | Action.MAKE_FIFO
    | Action.MAKE_BLOCK
    | Action.MAKE_SYM
)
# The first ABI of the landlock syscalls, as landlock(7) has it.
ABI_1 = Action.EXECUTE | Action.WRITE_FILE | READ | REMOVE | MAKE
ABI_2 = ABI_1 | Action.REFER
ABI_3 = ABI_2 | Action.TRUNCATE
ABI_5 = ABI_3 | Action.IOCTL_DEV
ABI_9 = ABI_5 | Action.RESOLVE_UNIX
METADATA_READ = Action.STAT | Action.READLINK | Action.GETXATTR | Action.LISTXATTR | Action.FILE_GETATTR
METADATA_WRITE = (
    Action.CHMOD | Action.CHOWN | Action.UTIME | Action.SETXATTR | Action.REMOVEXATTR | Action.SET_ACL | Action.FILE_SETATTR
)
NOTHING = Action(0)
RW = ABI_5 & ~Action.EXECUTE
