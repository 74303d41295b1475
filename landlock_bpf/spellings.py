# SPDX-License-Identifier: GPL-2.0-only
"""Directories in which one name can be spelt in more than one way: no rule on a name can hold there."""

from __future__ import annotations

import errno
import fcntl
import os
import struct

# linux/fs.h: FS_IOC_GETFLAGS, and its flag of a directory whose names are compared without regard to case.
_GETFLAGS = 0x80086601
_CASEFOLD = 0x40000000
# Filesystems that fold case whatever the directory (linux/magic.h, and their own sources).
_FOLDING = {
    0x4D44: "vfat",
    0x2011BAB0: "exfat",
    0x7366746E: "ntfs",
    0x482B: "hfsplus",
    0x4244: "hfs",
    0xFF534D42: "cifs",
    0xFE534D42: "smb3",
    0xF995E849: "hpfs",
    0xADFF: "affs",
    0xADF5: "adfs",
}


def why(fd: int, magic: int) -> str:
    """Say why names in a directory, open in any way, have several spellings; empty where they have one, as far as is told.

    Where nothing is told, the engine still sees that a filesystem compares in its own way, and takes every name for a match.
    """
    if magic in _FOLDING:
        return f"is on {_FOLDING[magic]}, where upper and lower case are the same"
    try:
        opened = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise
        return ""
    try:
        (flags,) = struct.unpack("l", fcntl.ioctl(opened, _GETFLAGS, bytes(struct.calcsize("l"))))
    except OSError:
        return ""  # a filesystem without flags
    finally:
        os.close(opened)
    return "is a directory in which upper and lower case are the same" if flags & _CASEFOLD else ""
