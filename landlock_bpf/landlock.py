# SPDX-License-Identifier: GPL-2.0-only
"""The landlock system calls: a ruleset of path rules, put in force on the calling thread; and a small launcher.

Here for comparison: what upstream's mechanism does with the same wish, and what it costs. Its rules only allow.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from landlock_bpf import abi, action_table, errors, libc, policy_actions

# include/uapi/asm-generic/unistd.h: the same numbers on every architecture.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
# include/uapi/linux/landlock.h
CREATE_RULESET_VERSION = 1 << 0
CREATE_RULESET_ERRATA = 1 << 1
RULE_PATH_BENEATH = 1

# LANDLOCK_ACCESS_FS_* of include/uapi/linux/landlock.h, where the number is not that of our action.
_NUMBERS = {abi.Action.RESOLVE_UNIX: 1 << 16}

REMEDY = "boot a kernel built with CONFIG_SECURITY_LANDLOCK and with landlock in lsm="


class RulesetAttr(ctypes.Structure):
    """struct landlock_ruleset_attr as of ABI 6; older kernels take one whose further members are 0."""

    _fields_ = [("handled_access_fs", ctypes.c_uint64), ("handled_access_net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class PathBeneathAttr(ctypes.Structure):
    """struct landlock_path_beneath_attr."""

    _pack_ = 1
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


def _call(number: int, *arguments: object, attempted: str, subject: str = "") -> int:
    result = libc.library().syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise errors.KernelError(attempted, subject, ctypes.get_errno())
    return int(result)


def _ask(flag: int, attempted: str) -> int:
    return _call(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(flag), attempted=attempted)


def abi_version() -> int:
    """Ask the kernel for its Landlock ABI; UnsupportedError where it is not built in or not switched on."""
    try:
        return _ask(CREATE_RULESET_VERSION, "ask for the Landlock ABI")
    except errors.KernelError as error:
        raise errors.UnsupportedError("this kernel has no Landlock in force", REMEDY) from error


def missing() -> str | None:
    """Say why Landlock is not in force, with the remedy; None where it is."""
    try:
        abi_version()
    except errors.UnsupportedError as error:
        return str(error)
    return None


def errata() -> int:
    """Ask the kernel which faults of Landlock it has mended: bit N-1 for erratum N, 0 where it cannot be asked."""
    try:
        return _ask(CREATE_RULESET_ERRATA, "ask for the errata of Landlock")
    except errors.KernelError:
        return 0


def rights() -> abi.Action:
    """Give all rights on files that the kernel can handle; UnsupportedError as abi_version()."""
    return policy_actions.rights_of(abi_version())


def network_rights() -> int:
    """Ask the kernel for all rights on ports that it can handle: LANDLOCK_ACCESS_NET_* of its own header, 0 if none."""
    return _all_known("handled_access_net")


def scopes() -> int:
    """Ask the kernel for all that it can keep inside: LANDLOCK_SCOPE_* of its own header, 0 if none."""
    return _all_known("scoped")


def _all_known(member: str) -> int:
    """Find the widest mask that the kernel takes: its bits are given out from the lowest on."""
    mask = 0
    while True:
        wider = mask << 1 | 1
        try:
            os.close(_create(RulesetAttr(**{member: wider}), str(wider)))
        except errors.KernelError:
            return mask
        mask = wider


def _create(attr: RulesetAttr, subject: str) -> int:
    return _call(
        CREATE_RULESET,
        ctypes.byref(attr),
        ctypes.c_size_t(ctypes.sizeof(attr)),
        ctypes.c_uint32(0),
        attempted="create a ruleset that handles",
        subject=subject,
    )


def access_fs(actions: abi.Action) -> int:
    """Give actions in the kernel's numbers, as handled_access_fs and allowed_access have them."""
    rights = int(actions)
    for action, number in _NUMBERS.items():
        if actions & action:
            rights = rights & ~int(action) | number
    return rights


class Ruleset:
    """A ruleset in the kernel; the descriptor is closed at the end of `with`, what was restricted stays so.

    `network` are rights on ports that it handles, and so takes away; `scoped` keeps signals and abstract sockets inside.
    """

    def __init__(self, handled: abi.Action, *, network: int = 0, scoped: int = 0) -> None:
        self.handled = handled
        self.fd = _create(RulesetAttr(access_fs(handled), network, scoped), str(handled))

    def __enter__(self) -> Ruleset:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def allow(self, path: Path | str, actions: abi.Action) -> None:
        """Allow actions on a file, or on a directory and all beneath; on a file those of directories are left out."""
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError as error:
            raise errors.KernelError("open", str(path), error.errno or 0) from error
        try:
            fit = actions & self.handled
            if not stat.S_ISDIR(os.fstat(fd).st_mode):
                fit &= action_table.FILE  # the kernel refuses others with EINVAL
            attr = PathBeneathAttr(access_fs(fit), fd)
            _call(
                ADD_RULE,
                ctypes.c_int(self.fd),
                ctypes.c_int(RULE_PATH_BENEATH),
                ctypes.byref(attr),
                ctypes.c_uint32(0),
                attempted="add a rule for",
                subject=str(path),
            )
        finally:
            os.close(fd)

    def restrict_self(self) -> None:
        """Put the ruleset in force on this thread and its future children, for good; sets no_new_privs."""
        libc.set_no_new_privs()
        _call(RESTRICT_SELF, ctypes.c_int(self.fd), ctypes.c_uint32(0), attempted="restrict this thread")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command under the landlock system calls; own failures 125, not executable 126, not found 127."""
    from landlock_bpf import policy  # slow to load, and for the launcher alone

    parser = argparse.ArgumentParser("python3 -m landlock_bpf.landlock", description=__doc__)
    for option, actions in policy.LANDRUN.items():
        meaning = f"allow at PATH and beneath: {policy_actions.summary(actions)}"
        parser.add_argument(option, action="append", default=[], metavar="PATH", help=meaning)
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    options = parser.parse_args(arguments)
    try:
        with Ruleset(rights()) as ruleset:
            for option, actions in policy.LANDRUN.items():
                for path in getattr(options, option.removeprefix("--")):
                    ruleset.allow(path, actions)
            ruleset.restrict_self()
    except errors.Error as error:
        print(f"landlock: {error}", file=sys.stderr)
        return 125
    try:
        os.execvp(options.command[0], options.command)
    except OSError as error:
        print(f"landlock: cannot run {options.command[0]}: {error.strerror}", file=sys.stderr)
        return 127 if isinstance(error, FileNotFoundError) else 126


if __name__ == "__main__":
    sys.exit(main())
