# SPDX-License-Identifier: GPL-2.0-only
"""Control groups (version 2): their ids, what is beneath them, who is in them, and the scopes that `run` makes."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from landlock_bpf import errors, libc, mountinfo, statfs

_FILEID_KERNFS = 0xFE  # include/linux/exportfs.h
_HANDLE = struct.Struct("=IiQ")  # struct file_handle with the 8 bytes of a kernfs id
_GONE = (errno.ENOENT, errno.ENODEV)  # to look it up, to read one of its files
_REMEDY = "be root, with /sys/fs/cgroup writable (a container may have it read-only)"


@functools.cache
def mount_point() -> Path:
    """Find where cgroup2 is mounted; UnsupportedError where it is not."""
    found = [mount for mount in mountinfo.read() if mount.type == "cgroup2"]
    if found:
        # Rather all of it than a part that is mounted elsewhere too.
        return Path(min(found, key=lambda mount: mount.root != "/").point)
    raise errors.UnsupportedError("cgroup2 is not mounted", "mount -t cgroup2 cgroup2 /sys/fs/cgroup")


def check(path: Path) -> Path:
    """Give the full path of a control group; NotFoundError where there is none."""
    full = path if path.is_absolute() else mount_point() / path
    # Version 1 has another type; any folder can have files of the same names.
    if not os.path.isdir(full) or statfs.magic(full) != statfs.CGROUP2_SUPER_MAGIC:
        what = "is no cgroup2 directory" if full.exists() else "does not exist"
        raise errors.NotFoundError(f"the control group {full} {what}; make it with mkdir beneath {mount_point()}")
    return Path(os.path.realpath(full))


def id_of(path: Path) -> int:
    """Give the id of a control group (kernfs_node.id), which its inode number is where those have 64 bits."""
    try:
        return path.stat().st_ino
    except FileNotFoundError as cause:
        raise errors.NotFoundError(f"the control group {path} was removed; make it again") from cause


def open_directory(path: Path) -> int:
    """Open a control group as the target of links."""
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError as cause:
        raise errors.NotFoundError(f"the control group {path} was removed; make it again") from cause


def find(number: int) -> Path | None:
    """Find a control group by id, whatever this mount namespace shows; None for 0, or once it is gone. Ids last."""
    if not number:
        return None
    fd = _open_id(number, os.O_PATH)
    if fd is None:
        return None
    try:
        return Path(os.readlink(f"/proc/self/fd/{fd}"))
    finally:
        os.close(fd)


def beneath(path: str | Path) -> Iterator[tuple[int, str]]:
    """Give the id and path of all control groups beneath one, parents before children; some may vanish meanwhile.

    The path of one nested deep may be too long for the kernel; its id serves then.
    """
    left = [(0, str(path))]
    while left:
        number, above = left.pop()
        with _directory(number, above) as fd:
            if fd is None:
                continue
            with os.scandir(fd) as listing:
                children = [(each.inode(), f"{above}/{each.name}") for each in listing if each.is_dir(follow_symlinks=False)]
        yield from children
        left += children


def settle(path: Path) -> None:
    """Return once every mkdir(2) of a control group that is under way has become visible, its tracepoint run."""
    # Takes and gives back cgroup_mutex, changing nothing (kernel/cgroup/cgroup.c, cgroup_subtree_control_write).
    try:
        (path / "cgroup.subtree_control").write_text("\n")
    except OSError as cause:
        raise errors.KernelError("wait for", f"changes beneath {path}", cause.errno or errno.EIO, _REMEDY) from cause


def processes(path: Path) -> Iterator[int]:
    """List the processes in a control group and all beneath it."""
    for number, each in [(0, str(path)), *beneath(path)]:
        with _directory(number, each) as fd:
            try:
                # A threaded one refuses: it shows its processes in the domain cgroup above it.
                listing = None if fd is None else os.open("cgroup.procs", os.O_RDONLY | os.O_CLOEXEC, dir_fd=fd)
                if listing is None:
                    continue
                with open(listing) as lines:
                    found = [int(line) for line in lines]
            except OSError as error:
                if error.errno in (*_GONE, errno.EOPNOTSUPP):
                    continue
                raise
        yield from found


def populated(path: Path) -> bool:
    """Whether a process is in a control group or beneath it; one that is gone has none."""
    try:
        return "populated 1" in (path / "cgroup.events").read_text()
    except OSError as error:
        if error.errno in _GONE:
            return False
        raise


def own() -> Path:
    """Give the control group of this process."""
    found = of_process("self")
    if found is None:
        raise errors.UnsupportedError("this process is in no cgroup2 control group", "boot with cgroup2 mounted")
    return found


def of_process(pid: int | str) -> Path | None:
    """Give the control group of a process; None where it has none, has ended, or we cannot see that far up."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
            for line in lines:
                if line.startswith("0::") and "/.." not in line:
                    return mount_point() / line[3:].rstrip("\n").removesuffix(" (deleted)").lstrip("/")
    except (FileNotFoundError, ProcessLookupError):
        pass
    return None


def make(path: Path) -> None:
    """Make a control group."""
    try:
        path.mkdir()
    except OSError as cause:
        raise errors.KernelError("make the control group", str(path), cause.errno or errno.EIO, _REMEDY) from cause


def enter(path: Path, process: int = 0) -> None:
    """Put a process into a control group; 0 is this one."""
    try:
        with open(path / "cgroup.procs", "w") as control:
            control.write(str(process))
    except OSError as cause:
        raise errors.KernelError("enter the control group", str(path), cause.errno or errno.EIO, _REMEDY) from cause


def remove(path: Path) -> bool:
    """Remove a control group and what is beneath it; False where that cannot be, as a process is in one of them."""
    inner = list(beneath(path))
    numbers = {name: number for number, name in inner}
    try:
        for _number, name in reversed(inner):
            above, _, last = name.rpartition("/")
            with _directory(numbers.get(above, 0), above) as fd, contextlib.suppress(FileNotFoundError):
                if fd is not None:
                    os.rmdir(last, dir_fd=fd)
        with contextlib.suppress(FileNotFoundError):
            path.rmdir()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _directory(number: int, path: str) -> Iterator[int | None]:
    """Open a control group by its path or, where that is too long, by its id; None where it is gone."""
    try:
        fd: int | None = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in (*_GONE, errno.ENAMETOOLONG):
            raise
        fd = _open_id(number, os.O_RDONLY | os.O_DIRECTORY) if error.errno == errno.ENAMETOOLONG else None
    try:
        yield fd
    finally:
        if fd is not None:
            os.close(fd)


def _open_id(number: int, flags: int) -> int | None:
    handle = _HANDLE.pack(8, _FILEID_KERNFS, number)
    mount = os.open(mount_point(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = int(libc.library().open_by_handle_at(mount, handle, flags | os.O_CLOEXEC))
    finally:
        os.close(mount)
    if fd >= 0:
        return fd
    if ctypes.get_errno() == errno.ESTALE:
        return None
    raise errors.KernelError("open the control group with", f"id {number}", ctypes.get_errno(), _REMEDY)
