# SPDX-License-Identifier: GPL-2.0-only
"""launch: the mechanics of `run` without a kernel to confine in; each launcher is a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from landlock_bpf import launch

ROOT = Path(__file__).parents[2]
LAUNCHER = """
    import contextlib, os, sys
    from landlock_bpf import errors, invoker, launch

    class Nothing:
        def enter(self):
            {enter}

        def close(self):
            {close}

    keep = launch.descriptors() if {keep} else ()
    try:
        with launch.held_signals() as mask, contextlib.closing(Nothing()) as nothing:
            user = invoker.find(os.environ)
            environ = invoker.environment(os.environ, user)
            status = launch.run(sys.argv[1:], nothing, mask=mask, keep=keep, user=user, environ=environ)
    except launch.LaunchError as error:
        sys.exit((print(error, file=sys.stderr), error.status)[1])
    sys.exit(launch.end_like(status))
"""


# What runners ignore in the background of a shell, or under nohup(1), and how Python takes it otherwise.
HANDLERS = {signal.SIGINT: signal.default_int_handler, signal.SIGQUIT: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """No shell can trap what it was started to ignore."""
    with contextlib.ExitStack() as undo:
        for number, handler in HANDLERS.items():
            if signal.getsignal(number) == signal.SIG_IGN:
                undo.callback(signal.signal, number, signal.signal(number, handler))
        yield


def launcher(*command: str, enter: str = "pass", close: str = "pass", keep: bool = False) -> list[str]:
    """Make the command line of a launcher with a confinement that does what is said and nothing else."""
    code = textwrap.dedent(LAUNCHER).format(enter=enter, close=close, keep=keep)
    return [sys.executable, "-c", code, *command]


def run(*command: str, environ: dict[str, str] | None = None, **options: object) -> subprocess.CompletedProcess[str]:
    parts = {name: options.pop(name) for name in ("enter", "close", "keep") if name in options}
    return subprocess.run(
        launcher(*command, **parts), cwd=ROOT, env={**os.environ, **(environ or {})}, capture_output=True, text=True,
        timeout=30, check=False, **options,
    )  # fmt: skip


def start(*command: str, **options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(launcher(*command, **options), cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("status", [0, 1, 2, 42, 125, 255])
def test_returns_the_exit_status(status: int) -> None:
    assert run("sh", "-c", f"exit {status}").returncode == status


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGSEGV", "SIGINT", "SIGHUP"])
def test_dies_by_the_commands_signal(name: str) -> None:
    assert run("sh", "-c", f"kill -{name[3:]} $$").returncode == -signal.Signals[name]


def test_command_not_found() -> None:
    result = run("no-such-command", environ={"PATH": "/usr/bin:/bin"})
    assert (result.returncode, result.stderr) == (127, "cannot execute no-such-command: No such file or directory\n")


def test_command_not_executable(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    result = run(str(script))
    assert result.returncode == 126
    assert result.stderr.startswith(f"cannot execute {script}: Permission denied")


def test_interpreter_not_found(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/shell\n")
    script.chmod(0o755)
    assert run(str(script)).returncode == 127


@pytest.mark.parametrize(
    ("enter", "words"),
    [
        ("raise errors.KernelError('enter', 'the domain', 1)", "cannot enter the domain: Operation not permitted (EPERM)\n"),
        ("raise OSError(28, 'No space left on device')", "cannot confine the command: [Errno 28] No space left on device\n"),
        ("1 / 0", "defect while confining the command: ZeroDivisionError('division by zero')\n"),
    ],
)
def test_nothing_runs_when_confining_fails(tmp_path: Path, enter: str, words: str) -> None:
    result = run("touch", str(tmp_path / "ran"), enter=enter)
    assert (result.returncode, result.stderr) == (125, words)
    assert not (tmp_path / "ran").exists()


def test_enters_before_the_command_runs() -> None:
    result = run("sh", "-c", "echo command", enter="os.write(1, b'enter\\n')", close="os.write(1, b'close\\n')")
    assert result.stdout == "enter\ncommand\nclose\n"


def test_command_cannot_gain_privileges() -> None:
    assert "NoNewPrivs:\t1\n" in run("cat", "/proc/self/status").stdout
    assert "NoNewPrivs:\t0\n" in subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout


def signal_sets(status: str) -> dict[str, str]:
    return dict(line.split(":\t") for line in status.splitlines() if line.startswith(("SigBlk", "SigIgn", "SigCgt")))


def test_signals_are_as_without_us() -> None:
    plain = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
    assert signal_sets(run("cat", "/proc/self/status").stdout) == signal_sets(plain)


def test_an_ignored_signal_stays_ignored() -> None:
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    status = run("cat", "/proc/self/status", preexec_fn=ignore).stdout
    assert int(signal_sets(status)["SigIgn"], 16) >> (signal.SIGHUP - 1) & 1


LIST = "import os; print(*sorted(os.listdir('/proc/self/fd')))"


def test_descriptors_are_closed() -> None:
    with open("/dev/null") as null:
        os.set_inheritable(null.fileno(), True)
        # The listing itself is the one above 2.
        assert run(sys.executable, "-c", LIST, close_fds=False, enter="os.dup(1)").stdout == "0 1 2 3\n"


def test_kept_descriptors_are_the_callers_only() -> None:
    leak = "os.set_inheritable(os.dup(1), True); os.dup2(1, 77)"
    null = os.open("/dev/null", os.O_RDONLY)
    high = os.dup2(null, 50)
    os.close(null)
    try:
        result = run(sys.executable, "-c", LIST, pass_fds=(high,), keep=True, enter=leak)
    finally:
        os.close(high)
    assert result.stdout == "0 1 2 3 50\n"


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_standard_descriptors_may_be_closed(closed: int) -> None:
    assert run("sh", "-c", "exit 9", preexec_fn=lambda: os.close(closed)).returncode == 9


TRAP = "trap 'echo {0}; exit 3' {0}; echo ready; while :; do sleep 0.01; done"


@pytest.mark.parametrize("name", ["TERM", "HUP", "INT", "QUIT", "USR1", "USR2", "ALRM"])
def test_a_signal_sent_to_us_is_passed_on_once(name: str) -> None:
    with start("sh", "-c", TRAP.format(name)) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.Signals[f"SIG{name}"])
        assert process.stdout.read() == f"{name}\n"
    assert process.returncode == 3


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_until(condition, seconds: float = 10) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)


def test_stops_and_continues_with_the_command() -> None:
    with start("bash", "-c", "echo $$; read -t 0.1 < /dev/zero; kill -STOP $$; echo continued") as process:
        child = int(process.stdout.readline())
        wait_until(lambda: state(process.pid) == "T")
        assert state(child) == "T"
        process.send_signal(signal.SIGCONT)
        assert process.stdout.read() == "continued\n"
    assert process.returncode == 0


def test_signals_wait_for_the_cleaning_up() -> None:
    close = "os.kill(os.getpid(), 15); os.write(1, b'closed')"
    assert (result := run("true", close=close)).stdout == "closed"
    assert result.returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody: run the tests as root")
def test_becomes_the_user_behind_sudo() -> None:
    environ = {"SUDO_UID": "65534", "SUDO_GID": "65534", "HOME": "/root", "USER": "root", "LOGNAME": "root"}
    result = run("sh", "-c", "id -u; id -g; id -G; echo $HOME $USER $LOGNAME; grep CapEff /proc/self/status", environ=environ)
    assert result.stdout == "65534\n65534\n65534\n/nonexistent nobody nobody\nCapEff:\t0000000000000000\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root looks at sudo's variables: run the tests as root")
def test_user_without_a_name() -> None:
    assert run("id", "-u", environ={"SUDO_UID": "1234567", "SUDO_GID": "7654321"}).stdout == "1234567\n"


def test_descriptors_above_2_only() -> None:
    assert not {0, 1, 2} & launch.descriptors()
