# SPDX-License-Identifier: GPL-2.0-only
"""The process that `run` makes: confined before its first instruction, attended by us until it ends.

The command stays in our session and process group, so that the terminal treats both alike. Keys like ^C and ^Z reach it
without us: we hold all signals while it runs, pass on those that somebody sent to us alone, and stop when it stops, so that
a shell sees one job. An interactive shell inside makes its own process groups, as it would without us.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import signal
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NoReturn, Protocol

from landlock_bpf import errors, invoker, libc

FAILED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127  # as env(1)

# Signals that people send to a program to tell it something. Those that stop are here so that the command decides.
RELAYED = frozenset(
    {
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGTERM,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGALRM,
        signal.SIGWINCH,
        signal.SIGTSTP,
        signal.SIGTTIN,
        signal.SIGTTOU,
    }
)
_HELD = RELAYED | {signal.SIGCHLD}
# What Python changes at start. Whether it was ignored before cannot be known; subprocess restores the default, too.
_CHANGED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
_AF_UNIX, _SOCK_STREAM = 1, 1  # the module socket takes longer to import than a start may
_LAST_DESCRIPTOR = 2**31 - 1


class LaunchError(errors.Error):
    """The command was not started; `status` says at which step, in the words of env(1)."""

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)


class Confinement(Protocol):
    """What the launched process puts itself into."""

    def enter(self) -> None: ...


@contextlib.contextmanager
def held_signals() -> Iterator[Collection[int]]:
    """Hold signals back while a command runs and while what it used is cleaned up; gives the mask of before.

    Those that came too late for the command are dropped: it has ended, by them or without them.
    """
    children = signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would reap the command behind our back
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        yield mask
    finally:
        while signal.sigtimedwait(_HELD, 0):
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGCHLD, children)


def descriptors() -> frozenset[int]:
    """List the open descriptors above 2: asked before anything of ours is opened, those that --keep-fds keeps."""
    return frozenset(fd for fd in _open_descriptors() if fd > 2)


def run(
    command: Sequence[str],
    confinement: Confinement,
    *,
    mask: Collection[int],
    user: invoker.Invoker | None = None,
    environ: Mapping[str, str] | None = None,
    keep: Collection[int] = (),
) -> int:
    """Run a command in a confinement and return its wait status (see waitpid(2)); call it with signals held.

    `mask` is the command's signal mask, `keep` are the descriptors above 2 that it gets. Raises LaunchError.
    """
    report, write = _socket_pair()
    pid = os.fork()
    if pid == 0:
        try:
            confinement.enter()
            libc.set_no_new_privs()
            if user:
                invoker.become(user)
            _restore_signals(mask)
            _keep_only({0, 1, 2, write, *keep})
            _execute(command, os.environ if environ is None else environ)
        except LaunchError as error:
            _tell(write, error.status, str(error))
        except errors.Error as error:
            _tell(write, FAILED, str(error))
        except OSError as error:
            _tell(write, FAILED, f"cannot confine the command: {error}")
        except BaseException as error:  # a defect; the parent's code must not run twice, so it ends here
            _tell(write, FAILED, f"defect while confining the command: {error!r}")
        finally:
            os._exit(FAILED)
    os.close(write)
    with open(report, "rb") as pipe:
        words = pipe.read()  # ends when the command is executed, which closes the other end
    if not words:
        return _attend(pid)
    os.waitpid(pid, 0)
    raise LaunchError(os.fsdecode(words[1:]), words[0])


def end_like(status: int) -> int:
    """Turn a wait status into ours: the exit status returned, or death by the same signal, as without us in between.

    Returns 128+N where signal N does not kill us (a first process of a container).
    """
    if not os.WIFSIGNALED(status):
        return os.waitstatus_to_exitcode(status)
    number = os.WTERMSIG(status)
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))  # the command has dumped its core, ours is of no use
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    return 128 + number


def _attend(pid: int) -> int:
    """Wait for the end of the command, passing signals on; returns its wait status."""
    while True:
        news = signal.sigwaitinfo(_HELD)
        if news.si_signo == signal.SIGCHLD:
            # One SIGCHLD may stand for several changes.
            while (change := os.waitpid(pid, os.WNOHANG | os.WUNTRACED)) != (0, 0):
                if not os.WIFSTOPPED(change[1]):
                    return change[1]
                _stop_along(pid)
        elif news.si_code <= 0 and news.si_pid != pid:
            # SI_USER and its like: sent by a process, and not by the command itself. What the terminal sends is of the
            # kernel (SI_KERNEL) and has reached the command, as it is in the same process group.
            os.kill(pid, news.si_signo)


def _stop_along(pid: int) -> None:
    """Stop as the command did, so that the shell above sees it; when continued, continue the command."""
    group = os.getpgid(pid)
    if group == os.getpgrp():
        os.kill(os.getpid(), signal.SIGSTOP)
        os.kill(pid, signal.SIGCONT)
        return
    # An interactive shell that suspended itself. The shell above will give the terminal to our group, not to its own.
    owned = _terminal_group() == group
    os.kill(os.getpid(), signal.SIGSTOP)
    if owned and _terminal_group() == os.getpgrp():
        _terminal_group(group)
    os.killpg(group, signal.SIGCONT)


def _terminal_group(new: int | None = None) -> int | None:
    """Tell the foreground process group of our terminal, after setting it if asked; None without a terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        return None
    try:
        if new is not None:
            os.tcsetpgrp(terminal, new)
        return os.tcgetpgrp(terminal)
    finally:
        os.close(terminal)


def _restore_signals(mask: Collection[int]) -> None:
    for number in _CHANGED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # else a ^C between here and exec would be an exception
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _keep_only(kept: Collection[int]) -> None:
    """Close all other descriptors: pins, maps, cgroups and locks of ours, and what our caller left open."""
    low = 0
    for fd in sorted(kept):
        if low < fd:  # an empty range from 0 is the whole range for Python 3.11
            os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, _LAST_DESCRIPTOR)


def _open_descriptors() -> list[int]:
    listing = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)
    try:
        return [fd for fd in map(int, os.listdir(listing)) if fd != listing]
    finally:
        os.close(listing)


def _execute(command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    try:
        os.execvpe(command[0], list(command), dict(environ))
    except OSError as error:
        message = f"cannot execute {command[0]}: {error.strerror}"
        if error.errno in (errno.EACCES, errno.EPERM):  # policies say the one, rule programs the other
            message += '; if a rule denies it, "landlock-bpf events --no-follow" tells which'
        missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
        raise LaunchError(message, NOT_FOUND if missing else NOT_EXECUTABLE) from error


def _socket_pair() -> tuple[int, int]:
    """Make a pair of sockets. Unlike write(2) to a pipe, send(2) is no access that a rule program could deny."""
    pair = (ctypes.c_int * 2)()
    if libc.library().socketpair(_AF_UNIX, _SOCK_STREAM | os.O_CLOEXEC, 0, pair):
        raise errors.KernelError("make", "a pair of sockets", ctypes.get_errno())
    return pair[0], pair[1]


def _tell(write: int, status: int, message: str) -> None:
    """Report to the parent: a byte of status, then the message."""
    data = bytes([status]) + os.fsencode(message)
    libc.library().send(write, data, len(data), 0)
