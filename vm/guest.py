# SPDX-License-Identifier: GPL-2.0-only
"""One guest: its QEMU command line, the folder it shares with the host, and the watch over its life."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import selectors
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import kernels

CHECKOUT = Path(__file__).resolve().parent.parent
INIT = CHECKOUT / "vm" / "guest-init"
PYTHON = CHECKOUT / ".venv" / "bin" / "python"
PREPARED = Path("/var/cache/landlock-bpf")  # where root, as which a guest's commands run, keeps what was compiled
FAILED = 125  # as env(1) and timeout(1) have it for their own failures
PATH = f"{CHECKOUT}/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Seconds from power on to the command's start; 8 is usual, a busy host may take a few times as long.
BOOT_DEADLINE = 180


class Lost(Exception):
    """The guest ended, or had to be ended, without reporting its command's status."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to boot and what to run in it; an empty command is a shell on the terminal."""

    image: kernels.Image
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    rwdirs: tuple[Path, ...] = ()
    # Files of the host that root shall own in the guest, and the folders they go to there.
    copies: tuple[tuple[Path, Path], ...] = ()
    lsm: str = "landlock,bpf"
    append: tuple[str, ...] = ()
    memory: str = "4G"
    deadline: float | None = None
    icount: bool = False
    accelerator: str = "tcg"


def run(settings: Settings) -> int:
    """Boot, run the command with its output streamed, return its exit status; Lost when none came back."""
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(_lock())
        exchange = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="landlock-bpf-vm-")))
        _write_exchange(exchange, settings)
        ours, theirs = {}, {}
        if settings.command:
            for name in ("stdout", "stderr"):
                pair = socket.socketpair()
                ours[name], theirs[name] = (stack.enter_context(end) for end in pair)
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *_qemu(settings, exchange, {k: s.fileno() for k, s in theirs.items()})],
            stdin=_stdin(settings),
            stdout=None if not settings.command else subprocess.DEVNULL,
            stderr=(exchange / "qemu.log").open("wb"),
            # The lock goes along: were this process killed, the guest would hold it to its own end.
            pass_fds=[lock, *(end.fileno() for end in theirs.values())],
        )
        if not settings.command and sys.stdin.isatty():
            # QEMU makes the terminal raw, and leaves it so when it is killed.
            stack.callback(termios.tcsetattr, sys.stdin, termios.TCSADRAIN, termios.tcgetattr(sys.stdin))
        stack.callback(process.wait)
        stack.callback(process.kill)
        for end in theirs.values():
            end.close()
        _watch(process, ours, exchange, settings.deadline)
        return _status(process, exchange)


@contextlib.contextmanager
def _lock() -> Iterator[int]:
    """Wait for room: an emulated guest keeps one CPU busy, so there is one guest a CPU."""
    slots = range(os.cpu_count() or 1)
    with contextlib.ExitStack() as stack:
        descriptors = []
        for slot in slots:
            descriptors.append(os.open(kernels.cache() / f"lock{slot}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            stack.callback(os.close, descriptors[slot])
        for descriptor in descriptors:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield descriptor
            return
        print("vm: a guest is running on every CPU, waiting for the end of one", file=sys.stderr, flush=True)
        waited = descriptors[os.getpid() % len(slots)]
        fcntl.flock(waited, fcntl.LOCK_EX)
        yield waited


def _stdin(settings: Settings) -> int | None:
    return subprocess.DEVNULL if settings.command and sys.stdin.isatty() else None


def _write_exchange(exchange: Path, settings: Settings) -> None:
    """Fill the shared folder: what vm/guest-init sources, and the command as a shell script."""
    size = shutil.get_terminal_size()
    keep = (CHECKOUT, kernels.cache(), *settings.rwdirs)
    values = {
        "SERIES": settings.image.series,
        "VERSION": settings.image.version,
        "MODULES": str(settings.image.modules),
        "KEEP": " ".join(map(str, keep)),
        "OVERLAY": " ".join(map(str, dict.fromkeys((Path("/var"), Path("/home"), CHECKOUT)))),
        "RWDIRS": " ".join(map(str, settings.rwdirs)),
        "INTERACTIVE": "0" if settings.command else "1",
        "ROWS": str(size.lines),
        "COLUMNS": str(size.columns),
    }
    for source, folder in settings.copies:
        target = exchange / "copies" / folder.relative_to("/")
        target.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # a cache may have dropped it meanwhile: the guest makes its own
            shutil.copy(source, target)
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in values.items()]
    (exchange / "settings").write_text("".join(lines))
    environment = {"PATH": PATH, "HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/bash"}
    environment |= {"LANDLOCK_BPF_VM": settings.image.series}
    environment |= {"LANDLOCK_BPF_VM_ABSENT": ",".join(kernels.row(settings.image.series).absent)}
    environment |= dict(settings.environment)
    words = ["env", "-i", *(f"{name}={value}" for name, value in environment.items())]
    words += settings.command or ("bash", "-i")
    (exchange / "command").write_text(f"cd {shlex.quote(os.getcwd())}\nexec {shlex.join(words)}\n")


def _qemu(settings: Settings, exchange: Path, ports: dict[str, int]) -> list[str]:
    """Build the command line: one processor (7.3 dies with two under emulation), no network, the console into a file."""
    words = ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot", "-machine", "q35"]
    words += ["-accel", settings.accelerator, "-cpu", "max", "-smp", "1", "-m", settings.memory]
    if settings.icount:
        words += ["-icount", "shift=0,sleep=off"]
    words += ["-chardev", f"file,id=console,path={exchange}/console.log", "-serial", "chardev:console"]
    folders = [("root", Path("/"), "on"), ("exchange", exchange, "off")]
    folders += [(f"rwdir{number}", path, "off") for number, path in enumerate(settings.rwdirs)]
    for tag, path, readonly in folders:
        words += ["-fsdev", f"local,id={tag},path={path},security_model=none,readonly={readonly},multidevs=remap"]
        words += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
    words += ["-chardev", "stdio,id=stdin,signal=off"]
    if settings.command:
        words += ["-device", "virtio-serial-pci", "-device", "virtserialport,name=stdin,chardev=stdin"]
    else:
        words += ["-serial", "chardev:stdin"]
    for name, descriptor in ports.items():
        words += ["-chardev", f"socket,id={name},fd={descriptor}", "-device", f"virtserialport,name={name},chardev={name}"]
    # A guest that went wrong must end at once: oops and panic both stop QEMU, which -no-reboot tells to exit.
    append = ["console=ttyS0", "loglevel=5", "panic=-1", "oops=panic", f"lsm={settings.lsm}"]
    # The self-tests of ciphers are half of all instructions of a boot of 7.3.
    append.append("cryptomgr.notests")
    # TOMOYO's policy is vm/guest-init's, which executes the trigger; a loader must be there all the same.
    append += ["TOMOYO_trigger=/run/tomoyo", "TOMOYO_loader=/bin/true"]
    words += ["-kernel", str(settings.image.vmlinux), "-initrd", str(settings.image.initramfs)]
    return [*words, "-append", " ".join([*append, *settings.append, f"init={INIT}"])]


def _watch(process: subprocess.Popen[bytes], ports: dict[str, socket.socket], exchange: Path, deadline: float | None) -> None:
    """Copy the guest's output until QEMU ends; end it when the boot or the command takes too long."""
    start = time.monotonic()
    sinks = {"stdout": sys.stdout.buffer, "stderr": sys.stderr.buffer}
    with selectors.DefaultSelector() as selector, open(os.pidfd_open(process.pid), "rb") as pidfd:
        selector.register(pidfd, selectors.EVENT_READ)
        for name, end in ports.items():
            selector.register(end, selectors.EVENT_READ, sinks[name])
        while selector.get_map():
            for key, _ in selector.select(timeout=1):
                if key.data is None:
                    selector.unregister(key.fileobj)
                elif chunk := os.read(key.fd, 1 << 16):
                    key.data.write(chunk)
                    key.data.flush()
                else:
                    selector.unregister(key.fileobj)
            if process.poll() is not None:
                continue
            spent = time.monotonic() - start
            if spent > BOOT_DEADLINE and not (exchange / "started").exists():
                raise Lost(_last_words(exchange, f"the guest did not come up within {BOOT_DEADLINE} s"))
            if deadline is not None and spent > deadline:
                raise Lost(_last_words(exchange, f"the command was still running at its deadline of {deadline:g} s"))


def _status(process: subprocess.Popen[bytes], exchange: Path) -> int:
    """Read the end marker; a guest that ended without one died, whatever QEMU says."""
    code = process.wait()
    try:
        return int((exchange / "status").read_text())
    except FileNotFoundError:
        raise Lost(_last_words(exchange, f"the guest died before its command ended (QEMU's exit status {code})")) from None


def _last_words(exchange: Path, what: str) -> str:
    """Join what went wrong with the end of the console, which holds the kernel's own reason."""
    with contextlib.suppress(FileNotFoundError):
        console = (exchange / "console.log").read_text(errors="replace").splitlines()
        qemu = (exchange / "qemu.log").read_text(errors="replace").splitlines()
        return "\n".join([what, "--- the last lines of its console", *console[-60:], *qemu[-10:], "---"])
    return what
