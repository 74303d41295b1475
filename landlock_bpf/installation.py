# SPDX-License-Identifier: GPL-2.0-only
"""The installation of the engine: compiled, loaded and pinned where it is not yet, and removed. Hold the lock for all of it."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from landlock_bpf import bpf, engine, errors, hooks, libc, maps, statfs
from landlock_bpf.engine import BPFFS, PINS, RUN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from landlock_bpf import program, questions

# The version that was loaded when it was compared last, and how the sources of it looked then.
KNOWN = RUN / "engine"
FTRACE = Path("/proc/sys/kernel/ftrace_enabled")
_RELOAD = "end its domains (`landlock-bpf list`, `detach`) or `landlock-bpf unload`, then try again"


def load() -> engine.Engine:
    """Give the engine of this version, loaded anew where none is or another version has no domain left.

    Raises BusyError where another version has live domains, UnsupportedError where the kernel would not run its programs.
    """
    _check_ftrace()
    if not _is_known():
        from landlock_bpf import compiler  # slow: hashes all sources

        looks = [_look(str(path)) for path in compiler.sources()]
        compiled = compiler.compile_engine()
        if not (PINS / compiled.stem).is_dir():
            if PINS.is_dir():
                if os.listdir(PINS / "links"):
                    raise errors.BusyError(f"another version of the engine is in force under {PINS}; {_RELOAD}")
                unload()
            return _load(compiled)
        KNOWN.parent.mkdir(mode=0o700, exist_ok=True)
        KNOWN.write_text("\n".join([compiled.stem, __file__, *looks]))
    live = engine.Engine(PINS)
    live.learn_new_layout()
    return live


def _is_known() -> bool:
    """Whether the loaded engine is of this version, as it was when that was asked last: no source was written to since."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        return os.path.isdir(f"{PINS}/{_version()}")
    return False


@functools.cache
def _version() -> str:
    """Give the version that was compared last; ValueError where it is not this one. What we run is read once: so is this."""
    version, module, *looks = KNOWN.read_text().split("\n")
    if module != __file__ or any(look != _look(look.split(" ", 2)[2]) for look in looks) or not looks:
        raise ValueError
    return version


def _look(path: str) -> str:
    """Say how a file looks from outside."""
    found = os.stat(path)
    return f"{found.st_size} {found.st_mtime_ns} {path}"


def load_hooks(live: engine.Engine, rows: Iterable[hooks.HookRow]) -> None:
    """Load the programs of hooks that are not loaded yet: the verifier takes its time for each.

    What this kernel lacks of them, and may lack, gets a folder in `absent`, so that it is not looked for again.
    """
    known = {*os.listdir(live.pins / "progs"), *os.listdir(live.pins / "absent")}
    wanted = [row for row in rows if row.name not in known]
    if not wanted:
        return
    from landlock_bpf import compiler, program

    absent = _check_hooks(wanted)
    for name in absent:
        (live.pins / "absent" / name).mkdir(mode=0o700, exist_ok=True)
    names = {row.name for row in wanted} - absent
    with program.Object.open_file(compiler.compile_engine()) as loaded:
        loaded.skip(set(loaded.program_names()) - names)
        _share(live, loaded)
        loaded.load()
        for name in names:
            bpf.obj_pin(loaded.program(name), live.pins / "progs" / name)


def _share(live: engine.Engine, loaded: program.Object) -> None:
    """Have programs use the maps that there are, but for the program arrays, which each hook's own have."""
    for pin in (live.pins / "maps").iterdir():
        if pin.name in loaded.map_names() and not pin.name.startswith("rules_"):
            with maps.Map.open(pin) as shared:
                loaded.reuse(pin.name, shared.fd)


def load_questions(live: engine.Engine, rows: Iterable[questions.Row]) -> None:
    """Load the programs that ask rule programs at these hooks, where they are not yet and this kernel has the hook.

    Each hook gets its program array `rules_HOOK`, with the program that goes on in place 0. Raises UnsupportedError where
    a hook has other arguments here.
    """
    progs = live.pins / "progs"
    wanted = [row for row in rows if not (progs / f"ask_{row.hook}").exists()]
    if not wanted:
        return
    from landlock_bpf import btf, compiler, program

    with btf.Btf.vmlinux() as vmlinux:
        wanted = [row for row in wanted if vmlinux.hook_args(row.hook) is not None]
        for row in wanted:
            _check_args(row.hook, vmlinux.hook_args(row.hook), len(row.args))
    if not wanted:
        return
    names = {f"{what}_{row.hook}" for row in wanted for what in ("ask", "next")}
    with program.Object.open_file(compiler.compile_questions()) as loaded:
        loaded.skip(set(loaded.program_names()) - names)
        _share(live, loaded)
        loaded.load()
        for row in wanted:
            # Left by a killed command: without the last pin, nobody has used the others.
            for pin in (live.pins / "maps" / f"rules_{row.hook}", progs / f"next_{row.hook}"):
                pin.unlink(missing_ok=True)
            with loaded.map(f"rules_{row.hook}") as each:
                each.update(0, loaded.program(f"next_{row.hook}"))
                bpf.obj_pin(each.fd, live.pins / "maps" / f"rules_{row.hook}")
            bpf.obj_pin(loaded.program(f"next_{row.hook}"), progs / f"next_{row.hook}")
            bpf.obj_pin(loaded.program(f"ask_{row.hook}"), progs / f"ask_{row.hook}")


def unload() -> None:
    """Remove the engine from the kernel: nothing is enforced afterwards."""
    remove_leavings()  # one that was killed may have had our process id, and so the name that follows
    if PINS.is_dir():
        # From here on, a later command finishes what we may not.
        PINS.rename(BPFFS / f"{PINS.name}-{os.getpid()}")
    remove_leavings()


def remove_leavings() -> None:
    """Remove what killed controllers were loading or unloading."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(BPFFS):
            if name.startswith(f"{PINS.name}-"):
                import shutil  # rare

                _end_domains(BPFFS / name)
                shutil.rmtree(BPFFS / name)


def _end_domains(pins: Path) -> None:
    """End all domains at once: programs whose pins are gone go on until the kernel gets round to removing them."""
    with contextlib.suppress(errors.Error), engine.Engine(pins) as dying:  # loaded in part, or by another version
        dying.domains[:] = bytes(len(dying.domains))


def _load(compiled: Path) -> engine.Engine:
    import subprocess  # a warm start needs none of these

    from landlock_bpf import program

    _check_lsm()
    _mount_bpffs()
    remove_leavings()
    _check_hooks(hooks.HOOKS)
    part = BPFFS / f"{PINS.name}-{os.getpid()}"
    with program.Object.open_file(compiled) as loaded:
        loaded.skip(row.name for row in hooks.HOOKS)
        loaded.load()
        # The folder named like the object tells which version this is.
        for folder in ("", "maps", "progs", "links", "absent", compiled.stem):
            (part / folder).mkdir(mode=0o700)
        for name in loaded.map_names():
            if "." not in name:  # the sections of C are the programs' own
                with loaded.map(name) as each:
                    bpf.obj_pin(each.fd, part / "maps" / name)
        for name in set(loaded.program_names()).difference(row.name for row in hooks.HOOKS):
            bpf.obj_pin(loaded.program(name), part / "progs" / name)
    # What is denied must not be read through an overlay that is mounted later: without the module its layout is not known.
    with contextlib.suppress(FileNotFoundError):
        subprocess.run(["modprobe", "-q", "overlay"], check=False, stdin=subprocess.DEVNULL)
    with engine.Engine(part) as fresh:
        fresh.learn_layout()
    part.rename(PINS)
    return engine.Engine(PINS)


def _check_ftrace() -> None:
    """Refuse where programs attach and never run: Linux 6.12 detaches all trampolines when somebody turns this off."""
    off = False
    with contextlib.suppress(FileNotFoundError), open(FTRACE, "rb") as setting:
        off = setting.read().strip() == b"0"
    if off:
        raise errors.UnsupportedError(f"{FTRACE} is 0, so nothing would be enforced", "sysctl kernel.ftrace_enabled=1")


def _check_lsm() -> None:
    """Refuse where LSM programs attach and are never called."""
    from landlock_bpf import features

    try:
        active = features.LSM_LIST.read_text().strip()
    except FileNotFoundError as cause:
        what = f"{features.LSM_LIST} is not there, so it is not known whether the kernel asks BPF programs"
        raise errors.UnsupportedError(what, "mount -t securityfs securityfs /sys/kernel/security") from cause
    if "bpf" not in active.split(","):
        what = f"bpf is not among the LSMs of this kernel ({active}), so nothing would be enforced"
        raise errors.UnsupportedError(what, "`landlock-bpf doctor` tells what to boot with")


def _check_hooks(rows: Iterable[hooks.HookRow]) -> set[str]:
    """Compare hooks with those of this kernel, and name the ones that it lacks and may lack."""
    from landlock_bpf import btf

    absent = set()
    with btf.Btf.vmlinux() as vmlinux:
        for row in rows:
            found = vmlinux.args(row.kind, row.name)
            if row.kind == "fentry" and row.optional and not _is_function(row.name):
                found = None  # BTF may know a function of which the compiler left other forms alone, as NAME.part.0
            if not row.fits(found):
                _check_args(row.name, found, len(row.args))
            if found is None:
                absent.add(row.name)
    return absent


def _is_function(name: str) -> bool:
    """Tell whether the kernel has a function of exactly this name (/proc/kallsyms: address, type, name)."""
    symbols = Path("/proc/kallsyms").read_bytes()
    return any(f" {kind} {name}\n".encode() in symbols for kind in "tT")


def _check_args(hook: str, found: int | None, expected: int) -> None:
    if found != expected:
        what = "is not in this kernel" if found is None else f"has {found} arguments here, not {expected}"
        raise errors.UnsupportedError(f"the hook {hook} {what}", "boot another kernel; `landlock-bpf doctor` says more")


def _mount_bpffs() -> None:
    if statfs.magic(BPFFS) == statfs.BPF_FS_MAGIC:
        return
    if libc.library().mount(b"bpf", bytes(BPFFS), b"bpf", 0, None):
        remedy = f"mount -t bpf bpf {BPFFS}"
        raise errors.KernelError("mount", f"the bpffs on {BPFFS}", ctypes.get_errno() or errno.EIO, remedy)
