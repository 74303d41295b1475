# SPDX-License-Identifier: GPL-2.0-only
"""What a program under a rule tries: a script of its own, since a rule may keep it from reading any but Python's files.

`python3 -c TEXT '[["read", "/etc/passwd"], ...]'` prints the errno of each, 0 for success.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import socket
import struct
import sys
from collections.abc import Callable, Sequence

FIGETBSZ = 2  # an ioctl(2) that every regular file answers
PAGE = 4096


def touch(path: str, flags: int) -> None:
    os.close(os.open(path, flags | os.O_CLOEXEC, 0o600))


def read(path: str) -> None:
    touch(path, os.O_RDONLY)


def write(path: str) -> None:
    touch(path, os.O_WRONLY)


def create(path: str) -> None:
    touch(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)


def copy(path: str, other: str) -> None:
    source, target = os.open(path, os.O_RDONLY), os.open(other, os.O_WRONLY | os.O_CREAT)
    os.write(target, os.read(source, PAGE))


def execute(path: str) -> None:
    _, status = os.waitpid(os.posix_spawn(path, [path], {}), 0)
    assert status == 0, status


def chmod(path: str) -> None:
    os.chmod(path, 0o700)


def chdir(path: str) -> None:
    home = os.open(".", os.O_PATH)
    os.chdir(path)
    os.fchdir(home)


def make_block(path: str) -> None:
    os.mknod(path, 0o060600, os.makedev(240, 0))  # of no driver


def map_shared(path: str, protection: int) -> None:
    descriptor = os.open(path, os.O_RDONLY if protection == mmap.PROT_READ else os.O_RDWR)
    mmap.mmap(descriptor, 1, mmap.MAP_SHARED, protection).close()


def write_stdin() -> None:
    os.write(0, b"x")


def read_stdin() -> None:
    os.pread(0, 1, 0)


def write_pipe() -> None:
    _, writing = os.pipe()
    os.write(writing, b"x")


def write_memory() -> None:
    os.write(os.memfd_create("memory"), b"x")


def write_socket() -> None:
    one, _other = socket.socketpair()
    os.write(one.fileno(), b"x")


def send() -> None:
    one, _other = socket.socketpair()
    one.send(b"x")


def command(path: str, number: int) -> None:
    fcntl.ioctl(os.open(path, os.O_RDONLY), number, bytes(64))


def lock(path: str, operation: int) -> None:
    fcntl.flock(os.open(path, os.O_RDONLY), operation)


def lock_range(path: str, kind: int) -> None:
    fcntl.fcntl(os.open(path, os.O_RDWR), fcntl.F_SETLK, struct.pack("hhqqi", kind, 0, 0, 0, 0))


def control(path: str, number: int, argument: int) -> None:
    fcntl.fcntl(os.open(path, os.O_RDONLY), number, argument)


VERBS: dict[str, Callable[..., object]] = {
    each.__name__: each
    for each in (
        read, write, create, copy, execute, chmod, chdir, make_block, map_shared, write_stdin, read_stdin,
        write_pipe, write_memory, write_socket, send, command, lock, lock_range, control,
        os.listdir, os.mkdir, os.rmdir, os.unlink, os.rename, os.link, os.symlink, os.readlink, os.stat,
        os.truncate, os.utime, os.statvfs, os.mkfifo,
    )
}  # fmt: skip


def attempt(verb: str, *arguments: object) -> int:
    """Try one thing; its errno, 0 for success."""
    try:
        VERBS[verb](*arguments)
    except OSError as error:
        assert error.errno, error
        return error.errno
    return 0


def main(words: Sequence[str]) -> None:
    print(json.dumps([attempt(*each) for each in json.loads(words[0])]))


if __name__ == "__main__":
    main(sys.argv[1:])
