# SPDX-License-Identifier: GPL-2.0-only
"""Operations on processes outside, and on the kernel."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import stat
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from landlock_bpf.compare import calls
from landlock_bpf.compare.operation import AROUND, UNSAID, Table
from landlock_bpf.compare.scene import BESIDE, ELSEWHERE, Scene

if TYPE_CHECKING:
    from landlock_bpf.compare.stage import Stage

TABLE = Table("processes")
KERNEL = Table("kernel")
# include/uapi/linux/ptrace.h, include/uapi/linux/bpf.h
PTRACE_SEIZE = 0x4206
BPF_MAP_CREATE, BPF_MAP_TYPE_ARRAY = 0, 2
# arch/x86/entry/syscalls/syscall_64.tbl; the others have those of include/uapi/asm-generic/unistd.h
_X86 = os.uname().machine == "x86_64"
SYS_BPF, SYS_PERF_EVENT_OPEN = (321, 298) if _X86 else (280, 241)
_TRACE = "Landlock and our engine refuse to trace whoever is not as confined; seccomp refuses the call, AppArmor has a rule."
_KERNEL = "Root's ways into the kernel end every confinement; Landlock leaves them to capabilities, our engine refuses them."


@TABLE.at(ELSEWHERE, need=AROUND, why=_TRACE)
def trace_outsider(_folder: Path, scene: Scene) -> None:
    """ptrace(2) a process outside."""
    trace = calls.libc.ptrace
    trace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    calls.check(trace(PTRACE_SEIZE, scene.outsider, None, None))


@TABLE.at(ELSEWHERE, need=AROUND, why="The same right as to trace, by a file of /proc; a filter does not see it.")
def open_memory_of_outsider(_folder: Path, scene: Scene) -> None:
    """open(2) /proc/PID/mem of a process outside to write to it."""
    os.close(os.open(f"/proc/{scene.outsider}/mem", os.O_RDWR))


@TABLE.at(ELSEWHERE, need=AROUND, why=_TRACE)
def read_memory_of_outsider(_folder: Path, scene: Scene) -> None:
    """process_vm_readv(2) from a process outside."""
    with open(f"/proc/{scene.outsider}/maps") as maps:
        address = int(maps.readline().split("-")[0], 16)
    data = ctypes.create_string_buffer(4)
    ours = struct.pack("PN", ctypes.addressof(data), len(data))
    theirs = struct.pack("PN", address, len(data))
    one = ctypes.c_ulong(1)
    calls.check(calls.libc.process_vm_readv(scene.outsider, ours, one, theirs, one, ctypes.c_ulong(0)))


@TABLE.at(ELSEWHERE, need=UNSAID, why="Landlock has a scope for signals since ABI 6; a policy on files says nothing of them.")
def signal_outsider(_folder: Path, scene: Scene) -> None:
    """kill(2): send SIGCONT to a process outside."""
    os.kill(scene.outsider, signal.SIGCONT)


@TABLE.at(ELSEWHERE, need=UNSAID, why="The other call for signals; Landlock's scope holds for it too.")
def signal_outsider_by_pidfd(_folder: Path, scene: Scene) -> None:
    """pidfd_send_signal(2): send SIGCONT to a process outside."""
    signal.pidfd_send_signal(os.pidfd_open(scene.outsider), signal.SIGCONT)


@TABLE.at(
    ELSEWHERE,
    need=UNSAID,
    why="It takes the same user or CAP_SYS_RESOURCE; none of these policies speaks of it.",
)
def limit_outsider(_folder: Path, scene: Scene) -> None:
    """prlimit(2): read a limit of a process outside."""
    resource.prlimit(scene.outsider, resource.RLIMIT_CORE)


@TABLE.at(
    ELSEWHERE,
    need=AROUND,
    lacks="cgroup2 is not on /sys/fs/cgroup",
    why="Who leaves the control group leaves what is tied to it; our engine and a read-only system refuse.",
)
def leave_cgroup(_folder: Path, _scene: Scene) -> None:
    """write(2) to cgroup.procs of the root control group."""
    fd = os.open("/sys/fs/cgroup/cgroup.procs", os.O_WRONLY)
    os.write(fd, b"0")


@KERNEL.at(ELSEWHERE, need=AROUND, why=_KERNEL)
def make_bpf_map(_folder: Path, _scene: Scene) -> None:
    """bpf(2) BPF_MAP_CREATE."""
    words = struct.pack("=4I", BPF_MAP_TYPE_ARRAY, 4, 4, 1) + bytes(112)
    calls.system_call(SYS_BPF, BPF_MAP_CREATE, words, len(words))


@KERNEL.at(ELSEWHERE, need=AROUND, why=_KERNEL)
def count_kernel_events(_folder: Path, _scene: Scene) -> None:
    """perf_event_open(2) for a whole processor."""
    attributes = bytearray(128)
    struct.pack_into("=IIQ", attributes, 0, 1, len(attributes), 1)  # PERF_TYPE_SOFTWARE, size, PERF_COUNT_SW_TASK_CLOCK
    calls.system_call(SYS_PERF_EVENT_OPEN, bytes(attributes), -1, 0, -1, ctypes.c_ulong(0))


@KERNEL.at(
    ELSEWHERE,
    need=AROUND,
    lacks="this kernel has no /proc/kcore",
    why="This policy lets all be read; it takes CAP_SYS_RAWIO, which a profile can withhold, and our engine knows the file.",
)
def open_kernel_memory(_folder: Path, _scene: Scene) -> None:
    """open(2) /proc/kcore to read the kernel's memory."""
    os.close(os.open("/proc/kcore", os.O_RDONLY))


@KERNEL.at(
    ELSEWHERE,
    need=AROUND,
    why="A file of /proc that names a program the kernel starts: whoever keeps the system read-only refuses.",
)
def open_core_pattern(_folder: Path, _scene: Scene) -> None:
    """open(2) /proc/sys/kernel/core_pattern to write to it."""
    os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))


@contextlib.contextmanager
def _disk(folder: Path, _outside: Stage) -> Iterator[None]:
    """Make a node of a block device; only a guest has none, and gets one."""
    blocks = Path("/sys/class/block")
    if not list(blocks.glob("*/dev")):
        subprocess.run(["modprobe", "loop"], check=False, capture_output=True)
    for device in sorted(blocks.glob("*/dev"))[:1]:
        major, minor = map(int, device.read_text().split(":"))
        os.mknod(folder / "disk", stat.S_IFBLK | 0o600, os.makedev(major, minor))
    yield


@KERNEL.at(
    BESIDE,
    need=AROUND,
    prepare=_disk,
    lacks="this machine has no block device",
    why="On a disk lie all its files, whatever rules they have; for most mechanisms it is a file of the tree it was made in.",
)
def open_disk(folder: Path, _scene: Scene) -> None:
    """open(2) a block device that has its file in the writable tree."""
    os.close(os.open(folder / "disk", os.O_RDONLY | os.O_NONBLOCK))
