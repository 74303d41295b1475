# SPDX-License-Identifier: GPL-2.0-only
"""TOMOYO: a domain in enforcing mode, which the member moves itself into before it is executed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from landlock_bpf import errors, features
from landlock_bpf.compare import mechanism, operation
from landlock_bpf.compare import scene as scenes

INTERFACE = Path("/sys/kernel/security/tomoyo")
DOMAIN = "<kernel> /landlock-bpf-compare"
# A number that no administrator is likely to have given to a profile of his own. Ruled on are files, and sockets by path.
PROFILE_NUMBER = 211
PROFILE = f"""\
{PROFILE_NUMBER}-COMMENT=landlock-bpf compare
{PROFILE_NUMBER}-CONFIG={{ mode=disabled grant_log=no reject_log=no }}
{PROFILE_NUMBER}-CONFIG::file={{ mode=enforcing grant_log=no reject_log=no }}
{PROFILE_NUMBER}-CONFIG::network::unix_stream_connect={{ mode=enforcing grant_log=no reject_log=no }}
{PROFILE_NUMBER}-CONFIG::network::unix_dgram_send={{ mode=enforcing grant_log=no reject_log=no }}
"""
READABLE, WRITABLE, CHANGEABLE = "landlock-bpf-read", "landlock-bpf-write", "landlock-bpf-change"
REMEDY = "install tomoyo-tools and run tomoyo_init, or boot with TOMOYO_loader= and TOMOYO_trigger= as vm/guest.py does"
NUMBER = "0-0xFFFFFFFF"
# What may be done with what is in each group; a rule of two paths wants both in it.
RULES = (
    f"file execute/read/getattr/chroot @{READABLE}",
    f"file ioctl @{READABLE} {NUMBER}",
    f"file write/append/truncate/unlink/rmdir/symlink @{WRITABLE}",
    f"file create/mkdir/mkfifo/mksock @{WRITABLE} {NUMBER}",
    f"file mkblock/mkchar @{WRITABLE} {NUMBER} {NUMBER} {NUMBER}",
    f"file link/rename @{WRITABLE} @{WRITABLE}",
    f"file chmod/chown/chgrp @{CHANGEABLE} {NUMBER}",
    f"network unix stream connect @{READABLE}",
    f"network unix dgram send @{READABLE}",
)
# Everything of a folder whose pattern they follow: itself, files and folders in it, and further down.
BENEATH = ("", r"\*", r"\{\*\}/", r"\{\*\}/\*")
# TOMOYO has names of its own for what lies on proc(5) and the like, which are beneath "/", and for pipes and sockets that are
# nowhere: policies do not speak of these.
NAMED = tuple(rf"\*:/{rest}" for rest in BENEATH)
NOWHERE = (r"\*:[\*]", r"\000\*", "anonymous")


class Tomoyo:
    name = "tomoyo"
    what = "TOMOYO: a domain in enforcing mode with a list of path patterns for each kind of access."
    errnos = mechanism.USUAL

    @property
    def title(self) -> str:
        return f"TOMOYO {(INTERFACE / 'version').read_text().strip()}"

    def missing(self) -> str | None:
        return features.missing_lsm("tomoyo")

    def cannot(self) -> tuple[str, ...]:
        return (
            "deny: patterns must leave out what is denied, name by name of the way to it",
            "attributes, ACLs, times, readlink, chdir, access, locks: no rule speaks of them",
            "know a file by anything but its path: a name that it gets elsewhere is judged by itself",
        )

    def says(self, row: operation.Operation) -> str | None:
        return None

    @contextlib.contextmanager
    def enforced(self, scene: scenes.Scene) -> Iterator[mechanism.Launch]:
        exceptions = [*groups(scene.root, scene.statements), f"keep_domain any from {DOMAIN}"]
        own = (INTERFACE / "self_domain").read_text()
        transition = f"task manual_domain_transition {DOMAIN}"
        with contextlib.ExitStack() as undo:
            _write("profile", PROFILE.splitlines())
            undo.callback(_write, "exception_policy", [f"delete {line}" for line in exceptions])
            _write("exception_policy", exceptions)
            undo.callback(_write, "domain_policy", [f"delete {DOMAIN}"])
            _write("domain_policy", [DOMAIN, f"use_profile {PROFILE_NUMBER}", *RULES])
            undo.callback(_write, "domain_policy", [own, f"delete {transition}"])
            _write("domain_policy", [own, transition])
            _require_enforcement()
            yield mechanism.Launch(enter=_enter)


def groups(root: Path, statements: Iterable[scenes.Statement]) -> Iterator[str]:
    """Write statements on a tree as groups of path patterns."""
    said = {root / each.path: each for each in statements}
    kinds = (
        (READABLE, [path for path, each in said.items() if each.read]),
        (WRITABLE, [path for path, each in said.items() if each.write]),
        (CHANGEABLE, [path for path, each in said.items() if each.metadata]),
    )
    for group, allowed in kinds:
        for path in allowed:
            above = next((each for each in path.parents if each in said), None)
            if above in allowed:
                continue  # it is in there already
            if path == Path("/"):
                yield from (f"path_group {group} {pattern}" for pattern in NAMED)
            holes = [each for each in said if path in each.parents and each not in allowed]
            folder = f"{path}/".replace("//", "/")
            for pattern in patterns(folder, [each.relative_to(path).parts for each in holes]):
                yield f"path_group {group} {pattern}"
        for name in NOWHERE:
            yield f"path_group {group} {name}"


def patterns(folder: str, holes: Iterable[tuple[str, ...]]) -> Iterator[str]:
    r"""Give patterns for a folder, whose name ends in a slash, and all beneath it but for the holes, which are ways down.

    What a pattern can leave out are names: `\*\-a\-b` is any but "a" and "b". Beside each name on the way to a hole all
    else is let in.
    """
    firsts = sorted({hole[0] for hole in holes})
    if not firsts:
        yield from (f"{folder}{rest}" for rest in BENEATH)
        return
    others = r"\*" + "".join(rf"\-{first}" for first in firsts)
    yield folder
    yield f"{folder}{others}"
    yield from (f"{folder}{others}/{rest}" for rest in BENEATH)
    for first in firsts:
        further = [hole[1:] for hole in holes if hole[0] == first]
        if () not in further:
            yield from patterns(f"{folder}{first}/", further)


def _enter() -> None:
    _write("self_domain", [DOMAIN])


def _require_enforcement() -> None:
    """See that somebody in the domain is refused what no rule allows; UnsupportedError where TOMOYO is not at work yet."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _enter()
            os.close(os.open(INTERFACE / "self_domain", os.O_WRONLY))
        except PermissionError:
            status = 0
        finally:
            os._exit(status)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
        raise errors.UnsupportedError("TOMOYO enforces nothing yet: its policy loader was not called at boot", REMEDY)


def _write(name: str, lines: Iterable[str]) -> None:
    """Write lines to a file of TOMOYO's interface, which takes what it understands and passes over the rest."""
    try:
        with open(INTERFACE / name, "wb", buffering=0) as file:
            for line in lines:
                file.write(f"{line}\n".encode())
    except OSError as error:
        remedy = "let this program write TOMOYO's policy: see the file manager there"
        raise errors.KernelError("write", str(INTERFACE / name), error.errno or 0, remedy) from error
