# SPDX-License-Identifier: GPL-2.0-only
"""The commands of ioctl(2) that policies can call by name.

From include/uapi/asm-generic/ioctls.h, linux/fs.h, linux/fiemap.h, linux/loop.h, linux/kd.h, linux/tiocl.h, linux/vt.h and
linux/if_tun.h, as x86, arm64 and riscv have them; tests/build/test_ioctl_commands.py compares them with the headers. Where
32-bit programs have another number for the same (FS_IOC32_GETFLAGS), the name stands for both.
"""

from __future__ import annotations

COMMANDS: dict[str, tuple[int, ...]] = {
    # Terminals.
    "TCGETS": (0x5401,),
    "TCSETS": (0x5402,),
    "TCSETSW": (0x5403,),
    "TCSETSF": (0x5404,),
    "TCSBRK": (0x5409,),
    "TCXONC": (0x540A,),
    "TCFLSH": (0x540B,),
    "TIOCSCTTY": (0x540E,),
    "TIOCGPGRP": (0x540F,),
    "TIOCSPGRP": (0x5410,),
    "TIOCOUTQ": (0x5411,),
    "TIOCSTI": (0x5412,),
    "TIOCGWINSZ": (0x5413,),
    "TIOCSWINSZ": (0x5414,),
    "TIOCLINUX": (0x541C,),
    "TIOCCONS": (0x541D,),
    "TIOCNOTTY": (0x5422,),
    "TIOCSETD": (0x5423,),
    "TIOCGSID": (0x5429,),
    "TIOCGPTN": (0x80045430,),
    "TIOCSPTLCK": (0x40045431,),
    "TIOCGPTPEER": (0x5441,),
    "KDSETMODE": (0x4B3A,),
    "KDSKBENT": (0x4B47,),
    "KDSKBSENT": (0x4B49,),
    "VT_ACTIVATE": (0x5606,),
    # All files.
    "FIONREAD": (0x541B,),
    "FIONBIO": (0x5421,),
    "FIOASYNC": (0x5452,),
    "FIONCLEX": (0x5450,),
    "FIOCLEX": (0x5451,),
    "FIOQSIZE": (0x5460,),
    # Files and filesystems.
    "FIBMAP": (0x1,),
    "FIGETBSZ": (0x2,),
    "FS_IOC_GETFLAGS": (0x80086601, 0x80046601),
    "FS_IOC_SETFLAGS": (0x40086602, 0x40046602),
    "FS_IOC_GETVERSION": (0x80087601, 0x80047601),
    "FS_IOC_SETVERSION": (0x40087602, 0x40047602),
    "FS_IOC_FSGETXATTR": (0x801C581F,),
    "FS_IOC_FSSETXATTR": (0x401C5820,),
    "FS_IOC_FIEMAP": (0xC020660B,),
    "FICLONE": (0x40049409,),
    "FICLONERANGE": (0x4020940D,),
    "FIDEDUPERANGE": (0xC0189436,),
    "FIFREEZE": (0xC0045877,),
    "FITHAW": (0xC0045878,),
    "FITRIM": (0xC0185879,),
    # Block devices.
    "BLKROSET": (0x125D,),
    "BLKROGET": (0x125E,),
    "BLKRRPART": (0x125F,),
    "BLKGETSIZE": (0x1260,),
    "BLKFLSBUF": (0x1261,),
    "BLKSSZGET": (0x1268,),
    "BLKGETSIZE64": (0x80081272, 0x80041272),
    "BLKDISCARD": (0x1277,),
    "BLKSECDISCARD": (0x127D,),
    "BLKZEROOUT": (0x127F,),
    "LOOP_SET_FD": (0x4C00,),
    "LOOP_CLR_FD": (0x4C01,),
    "LOOP_CTL_GET_FREE": (0x4C82,),
    # Other devices.
    "TUNSETIFF": (0x400454CA,),
}
MOST = (1 << 32) - 1  # the kernel takes an unsigned int
REMEDY = f"write a number from 0 to {MOST:#x}"

_NAMES = {number: name for name, numbers in COMMANDS.items() for number in numbers}


def is_number(value: object) -> bool:
    """Whether a value is the number of a command."""
    return isinstance(value, int) and 0 <= value <= MOST


def name(command: int) -> str:
    """Give what a person calls a command: its name where it has one here, else its number."""
    return _NAMES.get(command, f"{command:#x}")


def numbers(word: str) -> tuple[int, ...]:
    """Give the commands that a person means by a name or a number; ValueError where it is neither."""
    if word in COMMANDS:
        return COMMANDS[word]
    command = int(word, 0)
    if not is_number(command):
        raise ValueError(word)
    return (command,)


def names(commands: tuple[int, ...]) -> tuple[str, ...]:
    """Name several, each once."""
    return tuple(dict.fromkeys(map(name, commands)))
