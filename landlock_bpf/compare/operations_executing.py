# SPDX-License-Identifier: GPL-2.0-only
"""Operations that execute programs, or map files as code."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

from landlock_bpf.compare import calls, programs
from landlock_bpf.compare.operation import READ, UNSAID, Table
from landlock_bpf.compare.scene import BESIDE, ELSEWHERE, INSIDE, PROGRAM, READ_ONLY, Scene

TABLE = Table("executing")
SYS_EXECVEAT = {"x86_64": 322}.get(os.uname().machine, 281)


def _execveat(fd: int) -> None:
    words = (ctypes.c_char_p * 2)(b"program", None)
    programs.in_child(lambda: calls.system_call(SYS_EXECVEAT, fd, b"", words, None, calls.AT_EMPTY_PATH))


@TABLE.at(
    INSIDE,
    BESIDE,
    READ_ONLY,
    need=READ,
    why="All but seccomp and 2017's views tell executing from reading; beneath an allowed tree Landlock cannot take it away.",
)
def execute(folder: Path, _scene: Scene) -> None:
    """execve(2) a program."""
    programs.spawn(folder / "program")


@TABLE.at(INSIDE, BESIDE, need=READ, why="A script is opened twice, by the kernel and by its interpreter: each is asked about.")
def run_script(folder: Path, _scene: Scene) -> None:
    """execve(2) a script."""
    programs.spawn(folder / "script")


@TABLE.at(
    INSIDE,
    need=READ,
    why="What is executed is opened then, and asked about; TOMOYO asks by the name /dev/fd/N, whatever it leads to.",
)
def execute_descriptor(folder: Path, _scene: Scene) -> None:
    """execveat(2) a program by a descriptor that was opened with O_PATH."""
    _execveat(os.open(folder / "program", os.O_PATH))


@TABLE.at(
    ELSEWHERE,
    need=UNSAID,
    why="A memory file has no place in any tree, so path rules do not speak of it; AppArmor refuses what none matches.",
)
def execute_memory(_folder: Path, _scene: Scene) -> None:
    """execveat(2) a program in a memory file."""
    fd = os.memfd_create("program")
    source = os.open(PROGRAM, os.O_RDONLY)
    while data := os.read(source, 1 << 16):
        os.write(fd, data)
    _execveat(fd)


@TABLE.at(
    READ_ONLY,
    need=READ,
    why="What may be read may be loaded as code, unless PROT_EXEC is asked about: by AppArmor, 2017's rules and ours.",
)
def map_as_code(folder: Path, _scene: Scene) -> None:
    """mmap(2) a file with PROT_EXEC."""
    calls.map_file(os.open(folder / "file", os.O_RDONLY), mmap.PROT_READ | mmap.PROT_EXEC)
