# SPDX-License-Identifier: GPL-2.0-only
"""Features of this kernel and machine that we need or tell of; each is asked for, never inferred from a version."""

from __future__ import annotations

import dataclasses
import errno
import importlib.util
import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from landlock_bpf import bpf, btf, compiler, errors, hooks, landlock, libbpf, maps, mountinfo

State = Literal["yes", "no", "unknown"]
# What a probe gives: the state, what was seen, and the remedy unless the state is "yes".
Answer = tuple[State, str, str]

LSM_LIST = Path("/sys/kernel/security/lsm")
LOCKDOWN = Path("/sys/kernel/security/lockdown")
GRUB = Path("/etc/default/grub")
STATUS = Path("/proc/self/status")
_RETURN_0 = struct.pack("=BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0)  # r0 = 0; exit
# include/uapi/linux/capability.h
_CAPABILITIES = {"CAP_SYS_ADMIN": 21, "CAP_BPF": 39}

_NEEDED_MAPS = (
    maps.MapType.HASH,
    maps.MapType.ARRAY,
    maps.MapType.ARRAY_OF_MAPS,
    maps.MapType.TASK_STORAGE,
    maps.MapType.RINGBUF,
)
_KSYMS = ("rename_lock", "mount_lock")
_KFUNCS = ("bpf_rdonly_cast",)
_MOUNT_SECURITYFS = "mount -t securityfs securityfs /sys/kernel/security"
_OTHER_KERNEL = "boot a kernel that has it (Debian's linux-image-amd64 does, from 6.12)"


@dataclasses.dataclass(frozen=True)
class Feature:
    """One line of the doctor's table. `needed`: without it the engine does not run; `remedy` is empty if `state` is yes."""

    name: str
    state: State
    detail: str
    remedy: str
    needed: bool


def lsms() -> tuple[str, ...] | None:
    """List the active LSMs in the order in which they are asked; None where securityfs, which tells them, is not mounted."""
    return tuple(LSM_LIST.read_text().strip().split(",")) if LSM_LIST.exists() else None


def missing_lsm(name: str) -> str | None:
    """Say why an LSM is not in force, with the remedy; None where it is."""
    active = lsms()
    if active is None:
        return f"{LSM_LIST} is not there; {_MOUNT_SECURITYFS}"
    return None if name in active else f"{name} is not among the LSMs of this kernel; {_boot_with(name, active)}"


def _boot_with(name: str, active: Sequence[str]) -> str:
    # `capability` is always on and no word of lsm= (security/security.c).
    wanted = ",".join([*(each for each in active if each != "capability"), name])
    remedy = f"boot with lsm={wanted} on the kernel's command line"
    return f"{remedy}: add it to GRUB_CMDLINE_LINUX in {GRUB}, run update-grub, reboot" if GRUB.exists() else remedy


def is_capable(name: str) -> bool:
    """Tell whether we have a capability of those that matter to us, by its name."""
    (effective,) = (line.split()[1] for line in STATUS.read_text().splitlines() if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> _CAPABILITIES[name] & 1)


def probe() -> tuple[Feature, ...]:
    """Ask for every feature, in the order in which one would mend them."""
    return tuple(Feature(name, *_ask(question), needed) for name, needed, question in _PROBES)


def _ask(question: Callable[[], Answer]) -> Answer:
    try:
        return question()
    except errors.UnsupportedError as error:
        return "no", error.feature, error.remedy
    except errors.KernelError as error:
        refused = error.errno == errno.EPERM and os.geteuid() == 0
        return "no" if refused else "unknown", error.what, error.remedy or "try again as root"
    except PermissionError as error:
        return "unknown", f"cannot read {error.filename}", "try again as root"
    except OSError as error:
        return "unknown", str(error), "try again as root, outside any container"


def _privileges() -> Answer:
    missing = [name for name in _CAPABILITIES if not is_capable(name)]
    if missing:
        return "no", f"user id {os.geteuid()} without {', '.join(missing)}", "use sudo"
    return "yes", f"user id {os.geteuid()} with {', '.join(_CAPABILITIES)}", ""


def _kernel_btf() -> Answer:
    path = btf.KERNEL / "vmlinux"
    if path.exists():
        return "yes", str(path), ""
    return "no", f"no {path}: the kernel is built without CONFIG_DEBUG_INFO_BTF", _OTHER_KERNEL


def _bpf_lsm() -> Answer:
    active = lsms()
    if active is None:
        return "unknown", f"{LSM_LIST} is not there", _MOUNT_SECURITYFS
    if "bpf" in active:
        return "yes", ",".join(active), ""
    return "no", f"active: {','.join(active)}", f"{_boot_with('bpf', active)}; or stay in the VM: vm/run"


def _lockdown() -> Answer:
    if not LOCKDOWN.exists():
        return ("yes", "no lockdown", "") if LSM_LIST.exists() else ("unknown", "securityfs is not mounted", _MOUNT_SECURITYFS)
    modes = LOCKDOWN.read_text().strip()
    if "[confidentiality]" in modes:
        return "no", "lockdown=confidentiality keeps BPF from reading kernel memory", "boot with lockdown=integrity or none"
    return "yes", modes, ""


def _jit() -> Answer:
    path = Path("/proc/sys/net/core/bpf_jit_enable")
    if not path.exists():
        return "unknown", f"{path} is not in this network namespace", "try again in the first one, outside any container"
    value = path.read_text().strip()
    if value == "0":
        return "no", "LSM programs run through trampolines, which the interpreter has not", "sysctl net.core.bpf_jit_enable=1"
    return "yes", f"net.core.bpf_jit_enable={value}", ""


def _ftrace() -> Answer:
    path = Path("/proc/sys/kernel/ftrace_enabled")
    if not path.exists():
        return "no", "the kernel is built without CONFIG_DYNAMIC_FTRACE", _OTHER_KERNEL
    if path.read_text().strip() == "0":
        return "no", "Linux 6.12 detaches every program while it is off", "sysctl kernel.ftrace_enabled=1"
    return "yes", "kernel.ftrace_enabled=1", ""


def _mounted(kind: str, remedy: str) -> Answer:
    for mount in mountinfo.read():
        if mount.type == kind:
            return "yes", mount.point, ""
    return "no", "not mounted", remedy


def _lsm_programs() -> Answer:
    # By loading one: libbpf's own probe knows no reason, and waits for words of the verifier that change.
    with btf.Btf.vmlinux() as vmlinux:
        function = vmlinux.find("bpf_lsm_file_open", btf.Kind.FUNC)
    if function is None:
        return "no", "the kernel is built without CONFIG_BPF_LSM", _OTHER_KERNEL
    fd, _log = bpf.prog_load_lsm(_RETURN_0, "probe", bpf.AttachType.LSM_MAC, function)
    os.close(libbpf.check(fd, "load", "an LSM program that does nothing"))
    return "yes", "one was loaded", ""


def _map_types() -> Answer:
    for kind in _NEEDED_MAPS:
        result = libbpf.library().libbpf_probe_bpf_map_type(kind, None)
        if result == 0 and os.geteuid() != 0:
            return "unknown", "only root can ask", "try again as root"
        if not libbpf.check(result, "probe for", f"BPF_MAP_TYPE_{kind.name}"):
            return "no", f"the kernel has no BPF_MAP_TYPE_{kind.name}", _OTHER_KERNEL
    return "yes", ", ".join(kind.name.lower() for kind in _NEEDED_MAPS), ""


def _hooks() -> Answer:
    with btf.Btf.vmlinux() as vmlinux:
        wrong = []
        for row in hooks.HOOKS:
            found = vmlinux.args(row.kind, row.name)
            if not row.fits(found):
                wrong.append(f"{row.name} ({'absent' if found is None else f'{found} arguments'})")
    if wrong:
        return "no", f"not as we know them: {', '.join(wrong)}", _OTHER_KERNEL
    return "yes", f"all {len(hooks.HOOKS)}", ""


def _symbols() -> Answer:
    with btf.Btf.vmlinux() as vmlinux:
        missing = [name for name in _KFUNCS if vmlinux.find(name, btf.Kind.FUNC) is None]
    # Searched as a whole: taking 200,000 lines apart is seconds under emulation.
    known = Path("/proc/kallsyms").read_bytes()
    missing += [name for name in _KSYMS if f" {name}\n".encode() not in known]
    if missing:
        return "no", f"absent: {', '.join(missing)}", _OTHER_KERNEL
    return "yes", ", ".join(_KFUNCS + _KSYMS), ""


def _libbpf() -> Answer:
    return "yes", libbpf.library().libbpf_version_string().decode(), ""


def _clang() -> Answer:
    clang = compiler.find_clang()
    if not compiler.LIBBPF_HEADERS.is_dir():
        return "no", f"{clang}, but no {compiler.LIBBPF_HEADERS}", "install them (Debian: apt-get install libbpf-dev)"
    return "yes", str(clang.resolve()), ""  # the version is in the path; asking clang takes seconds under emulation


def _module(name: str, remedy: str) -> Answer:
    found = importlib.util.find_spec(name)
    return ("yes", str(found.origin), "") if found else ("no", "not installed", remedy)


def _landlock() -> Answer:
    return "yes", f"ABI {landlock.abi_version()}", ""


# name, whether the engine needs it, the question. A new feature is a row.
_PROBES: tuple[tuple[str, bool, Callable[[], Answer]], ...] = (
    ("root", True, _privileges),
    ("kernel BTF", True, _kernel_btf),
    ("bpf in lsm=", True, _bpf_lsm),
    ("lockdown lets BPF read", True, _lockdown),
    ("BPF JIT", True, _jit),
    ("ftrace enabled", True, _ftrace),
    ("cgroup2", True, lambda: _mounted("cgroup2", "mount -t cgroup2 cgroup2 /sys/fs/cgroup")),
    ("bpffs", True, lambda: _mounted("bpf", "mount -t bpf bpf /sys/fs/bpf")),
    ("LSM programs", True, _lsm_programs),
    ("map types", True, _map_types),
    ("hooks", True, _hooks),
    ("kernel symbols", True, _symbols),
    ("libbpf", True, _libbpf),
    ("clang", True, _clang),
    ("jinja2", True, lambda: _module("jinja2", "install it (Debian: apt-get install python3-jinja2)")),
    ("landlock syscalls", False, _landlock),
    ("bcc", False, lambda: _module("bcc", "install it (Debian: apt-get install python3-bpfcc)")),
)
