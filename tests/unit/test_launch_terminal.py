# SPDX-License-Identifier: GPL-2.0-only
"""launch: keys, job control and hang-up on a terminal, with a shell above us and one inside."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit import test_launch

PROMPT = "outer> "


class Terminal:
    """A bash with job control on a terminal of its own; what it and its jobs print is gathered."""

    def __init__(self) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            for number in test_launch.HANDLERS:
                signal.signal(number, signal.SIG_DFL)
            os.chdir(test_launch.ROOT)
            os.environ.update(PS1=PROMPT, HISTFILE="/dev/null", INPUTRC="/dev/null", TERM="dumb", PS0="")
            os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
        self.seen = ""
        self.expect(PROMPT)

    def send(self, text: str) -> None:
        os.write(self.master, text.encode())

    def expect(self, pattern: str, seconds: float = 10) -> str:
        """Wait for a pattern in what was printed since the last one found; returns what came before it."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.seen)):
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.master], [], [], left)[0], f"no {pattern!r} in {self.seen[-2000:]!r}"
            self.seen += os.read(self.master, 65536).decode()
        before, self.seen = self.seen[: found.start()], self.seen[found.end() :]
        return before

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.master)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    live = Terminal()
    try:
        yield live
    finally:
        live.close()


@pytest.fixture
def start(terminal: Terminal, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Give a function that types a launcher's command into the outer shell."""

    def type_command(*command: str) -> None:
        script = tmp_path / "launcher"
        script.write_text(f"#!/bin/sh\nexec {shlex.join(test_launch.launcher(*command))}\n")
        script.chmod(0o755)
        terminal.send(f"{script}\n")
        terminal.expect("launcher\r\n")

    return type_command


def test_interrupt_key_reaches_the_command_once(terminal: Terminal, start) -> None:  # type: ignore[no-untyped-def]
    start("bash", "-c", "trap 'echo got; n=1' INT; echo ready; until [ $n ]; do sleep 0.01; done; sleep 0.2; exit 7")
    terminal.expect("ready")
    terminal.send("\x03")
    assert "got" not in terminal.expect("got") + terminal.expect(PROMPT)
    terminal.send("echo status $?\n")
    terminal.expect("status 7\r\n")


def test_interrupt_key_ends_both(terminal: Terminal, start) -> None:  # type: ignore[no-untyped-def]
    start("sh", "-c", "echo ready; exec sleep 100")
    terminal.expect("ready")
    terminal.send("\x03")
    terminal.expect(PROMPT)
    terminal.send("echo status $?\n")
    terminal.expect("status 130\r\n")


def test_suspend_key_and_foreground(terminal: Terminal, start) -> None:  # type: ignore[no-untyped-def]
    start("sh", "-c", "echo ready; read line; echo read $line")
    terminal.expect("ready")
    terminal.send("\x1a")
    terminal.expect("Stopped")
    terminal.expect(PROMPT)
    terminal.send("fg\n")
    terminal.expect("launcher\r\n")
    terminal.send("word\n")
    terminal.expect("read word\r\n")
    terminal.expect(PROMPT)


def test_interactive_shell_inside_has_job_control(terminal: Terminal, start) -> None:  # type: ignore[no-untyped-def]
    start("env", "PS1=inner> ", "bash", "--norc", "--noprofile", "--noediting", "-i")
    assert "no job control" not in terminal.expect("inner> ")
    # Once it prints, the job owns the terminal; the quotes tell what it prints from what was typed.
    terminal.send("sh -c 'echo run''ning; read line; echo read $line'\n")
    terminal.expect("running")
    terminal.send("\x1a")
    terminal.expect("Stopped")
    terminal.expect("inner> ")
    terminal.send("fg\nword\n")
    terminal.expect("read word\r\n")
    terminal.expect("inner> ")
    # The whole inner shell is one job of the outer one, and comes back with its terminal.
    terminal.send("suspend\n")
    terminal.expect("Stopped")
    terminal.expect(PROMPT)
    terminal.send("fg\n")
    terminal.send("echo again\n")
    terminal.expect("(inner> |\n)again\r\n")
    terminal.send("exit 5\n")
    terminal.expect(PROMPT)
    terminal.send("echo status $?\n")
    terminal.expect("status 5\r\n")


def test_hang_up_ends_both(terminal: Terminal, start) -> None:  # type: ignore[no-untyped-def]
    start("sh", "-c", "echo pids $$ $PPID; exec sleep 100")
    terminal.expect("pids ")
    pids = [int(word) for word in terminal.expect("\r\n").split()]
    os.kill(terminal.pid, signal.SIGHUP)
    test_launch.wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
