# SPDX-License-Identifier: GPL-2.0-only
"""The ioctl commands that policies call by name have the numbers of the kernel's headers."""

from __future__ import annotations

import subprocess
from pathlib import Path

from landlock_bpf import ioctl_commands

HEADERS = (
    "stddef.h",
    "sys/ioctl.h",
    "asm/ioctls.h",
    "linux/fs.h",
    "linux/fiemap.h",
    "linux/loop.h",
    "linux/kd.h",
    "linux/vt.h",
)
# What the 32-bit form of a command is called.
NARROW = {
    "FS_IOC_GETFLAGS": "FS_IOC32_GETFLAGS",
    "FS_IOC_SETFLAGS": "FS_IOC32_SETFLAGS",
    "FS_IOC_GETVERSION": "FS_IOC32_GETVERSION",
    "FS_IOC_SETVERSION": "FS_IOC32_SETVERSION",
    "BLKGETSIZE64": "_IOR(0x12, 114, int)",
}


def test_numbers_are_those_of_the_headers(tmp_path: Path) -> None:
    lines = [f"#include <{header}>" for header in (*HEADERS, "linux/if_tun.h")]
    for name, numbers in ioctl_commands.COMMANDS.items():
        words = (name, *([NARROW[name]] if name in NARROW else []))
        assert len(words) == len(numbers), name
        lines += [f'_Static_assert((unsigned int)({word}) == {number}U, "{name}");' for word, number in zip(words, numbers)]
    source = tmp_path / "commands.c"
    source.write_text("\n".join(lines) + "\n")
    subprocess.run(["cc", "-fsyntax-only", source], check=True)


def test_names_of_numbers() -> None:
    assert ioctl_commands.names((0x5412, 0x40046602, 0x40086602, 7)) == ("TIOCSTI", "FS_IOC_SETFLAGS", "0x7")
