# SPDX-License-Identifier: GPL-2.0-only
"""Ways out of a domain that are tried: each a function, by raw system calls where Python has none."""

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import os
import pty
import socket
import struct
import sys
import termios
from pathlib import Path

from operation import check, touch

BPFFS = Path("/sys/fs/bpf")
# include/uapi/linux/bpf.h, enum bpf_cmd; there are about 40, and those that are yet to come.
BPF_MAP_CREATE, BPF_OBJ_PIN = 0, 6
BPF_COMMANDS = range(64)
# arch/x86/entry/syscalls/syscall_64.tbl
SYS_INIT_MODULE, SYS_FINIT_MODULE, SYS_KEXEC_LOAD, SYS_KEXEC_FILE_LOAD = 175, 313, 246, 320
SYS_IOPERM, SYS_PERF_EVENT_OPEN, SYS_BPF, SYS_CLONE3 = 173, 298, 321, 435
SYS_FSOPEN, SYS_FSCONFIG = 430, 431
CLONE_INTO_CGROUP, CLONE_NEWNS = 0x200000000, 0x20000
MS_REMOUNT, MS_REC, MS_PRIVATE, MNT_DETACH = 0x20, 0x4000, 0x40000, 2

_libc = ctypes.CDLL(None, use_errno=True)


def syscall(number: int, *arguments: object) -> int:
    return check(_libc.syscall(ctypes.c_long(number), *arguments))


def bpf(command: int, attributes: bytes = bytes(128)) -> int:
    return syscall(SYS_BPF, ctypes.c_int(command), attributes, ctypes.c_uint(len(attributes)))


def make_map() -> None:
    """Make an array of one element."""
    os.close(bpf(BPF_MAP_CREATE, struct.pack("=4I", 2, 4, 4, 1)))


def pin_map(path: Path) -> None:
    made = bpf(BPF_MAP_CREATE, struct.pack("=4I", 2, 4, 4, 1))
    name = ctypes.create_string_buffer(os.fsencode(path))
    bpf(BPF_OBJ_PIN, struct.pack("=QII", ctypes.addressof(name), made, 0))
    os.close(made)


def bpf_errnos() -> set[int]:
    """Try every command of bpf(2), without what it takes."""
    found = set()
    for command in BPF_COMMANDS:
        try:
            bpf(command)
            found.add(0)
        except OSError as error:
            found.add(error.errno or -1)
    return found


def init_module() -> None:
    image = bytes(4096)
    syscall(SYS_INIT_MODULE, image, ctypes.c_ulong(len(image)), b"")


def finit_module() -> None:
    with open("/bin/busybox", "rb") as image:
        syscall(SYS_FINIT_MODULE, image.fileno(), b"", 0)


def finit_compressed() -> None:
    """Have the kernel unpack what is no archive."""
    compressed = 4
    with open("/bin/busybox", "rb") as image:
        syscall(SYS_FINIT_MODULE, image.fileno(), b"", compressed)


def kexec_load() -> None:
    """Take away the kernel to be started, which is none."""
    syscall(SYS_KEXEC_LOAD, ctypes.c_ulong(0), ctypes.c_ulong(0), None, ctypes.c_ulong(0))


def kexec_file_load() -> None:
    with open("/bin/busybox", "rb") as image:
        no_initrd = 4
        syscall(SYS_KEXEC_FILE_LOAD, image.fileno(), -1, ctypes.c_ulong(1), b"", ctypes.c_ulong(no_initrd))


def read_memory() -> None:
    touch("/dev/mem", os.O_RDONLY)


def read_kcore() -> None:
    touch("/proc/kcore", os.O_RDONLY)


def use_ports() -> None:
    syscall(SYS_IOPERM, ctypes.c_ulong(0x80), ctypes.c_ulong(1), 1)


def perf_event(pid: int, cpu: int, flags: int = 0) -> None:
    attributes = bytearray(128)
    # PERF_TYPE_SOFTWARE, size, PERF_COUNT_SW_TASK_CLOCK
    struct.pack_into("=IIQ", attributes, 0, 1, len(attributes), 1)
    struct.pack_into("=Q", attributes, 40, flags)
    os.close(syscall(SYS_PERF_EVENT_OPEN, bytes(attributes), pid, cpu, -1, ctypes.c_ulong(0)))


def count_kernel() -> None:
    perf_event(-1, 0)


def count_own() -> None:
    """Count what this task does in user mode, without any capability."""
    exclude_kernel, exclude_hypervisor = 1 << 5, 1 << 6
    os.setresuid(65534, 65534, 65534)
    perf_event(0, -1, exclude_kernel | exclude_hypervisor)


def type_for_others() -> None:
    """Push a character into the input of a terminal."""
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSTI, b"\n")
    finally:
        os.close(ours)
        os.close(theirs)


def command_to_terminal(command: int) -> None:
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, command, bytes(64))
    finally:
        os.close(ours)
        os.close(theirs)


def write_only(path: str | Path) -> None:
    touch(path, os.O_WRONLY)


def read_only(path: str | Path) -> None:
    touch(path, os.O_RDONLY)


def reopen(path: str | Path) -> None:
    """Open without any right, then the descriptor once more."""
    place = os.open(path, os.O_PATH)
    try:
        touch(f"/proc/self/fd/{place}", os.O_WRONLY)
    finally:
        os.close(place)


def unlink(path: Path) -> None:
    path.unlink()


def make_dir(path: Path) -> None:
    path.mkdir()


def remove_dir(path: Path) -> None:
    path.rmdir()


def rename(path: Path) -> None:
    path.rename(path.with_name("renamed"))


def link(path: Path) -> None:
    path.with_name("linked").hardlink_to(path)


def symlink(path: Path) -> None:
    path.with_name("pointer").symlink_to(path)


def open_up(path: Path) -> None:
    path.chmod(0o666)


def give_away(path: Path) -> None:
    os.chown(path, 65534, 65534)


def mount(kind: str, place: Path | str, flags: int = 0, data: str = "") -> None:
    check(_libc.mount(b"none", os.fsencode(place), kind.encode(), ctypes.c_ulong(flags), data.encode() or None))


def make_overlay(top: Path) -> None:
    """Make an overlayfs that is mounted nowhere."""
    set_string, create = 1, 6
    made = syscall(SYS_FSOPEN, b"overlay", 0)
    try:
        syscall(SYS_FSCONFIG, made, set_string, b"lowerdir", os.fsencode(f"{top}/lower:{top}/upper"), 0)
        syscall(SYS_FSCONFIG, made, create, None, None, 0)
    finally:
        os.close(made)


def mount_over(place: Path) -> None:
    own_mounts()
    mount("tmpfs", place)


def remount(place: Path) -> None:
    """Ask for the options anew, and for none: read-only, it would be so everywhere."""
    own_mounts()
    mount("none", place, MS_REMOUNT)


def unmount(place: Path) -> None:
    own_mounts()
    check(_libc.umount2(os.fsencode(place), MNT_DETACH))


def own_mounts() -> None:
    """Enter a mount namespace of our own, of which others see nothing."""
    check(_libc.unshare(CLONE_NEWNS))


def clone_into(cgroup: Path) -> None:
    place = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY)
    signal_of_end = 17
    arguments = struct.pack("=11Q", CLONE_INTO_CGROUP, 0, 0, 0, signal_of_end, 0, 0, 0, 0, 0, place)
    try:
        pid = syscall(SYS_CLONE3, arguments, ctypes.c_size_t(len(arguments)))
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    finally:
        os.close(place)


def enter(cgroup: Path) -> None:
    (cgroup / "cgroup.procs").write_text("0")


def enter_by(descriptor: int) -> None:
    """Move to the control group whose list of tasks is open."""
    os.write(descriptor, b"0")


def receive(channel: socket.socket) -> int:
    """Receive one descriptor, or raise: what may not be received is not there."""
    _data, ancillary, _flags, _address = channel.recvmsg(1, socket.CMSG_SPACE(4))
    received = array.array("i", b"".join(bytes(each[2]) for each in ancillary))
    if not received:
        raise OSError(errno.EPERM, "it did not arrive")
    os.close(received[0])
    return 0


def send(channel: socket.socket, path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        channel.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))])
    finally:
        os.close(descriptor)


def module_of_the_command() -> list[str]:
    return [sys.executable, "-m", "landlock_bpf"]
