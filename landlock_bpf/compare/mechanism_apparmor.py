# SPDX-License-Identifier: GPL-2.0-only
"""AppArmor: a profile loaded into the kernel, which the member enters as it is executed."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from landlock_bpf import apparmor
from landlock_bpf.compare import mechanism, operation
from landlock_bpf.compare import scene as scenes

# What the profile grants beside files: root's usual rights on them, and nothing that leads round the profile.
GRANTED = """\
  network,
  unix,
  signal,
  capability chown, capability dac_override, capability fowner, capability fsetid, capability kill, capability mknod,
  capability net_bind_service, capability net_raw, capability setfcap, capability setgid, capability setuid,
  capability sys_chroot,
"""
READ, WRITE = "rmkix", "wl"


class AppArmor:
    name = "apparmor"
    what = "AppArmor: a profile of path patterns, written for the policy and entered when the member is executed."
    errnos = mechanism.USUAL

    @property
    def title(self) -> str:
        return f"AppArmor, parser {apparmor.version()}"

    def missing(self) -> str | None:
        return apparmor.missing()

    def cannot(self) -> tuple[str, ...]:
        return (
            "metadata apart from writing: w is for modes and owners too",
            "attributes, ACLs, times, stat, readlink, chdir, access, ioctl, fcntl: no rule speaks of them",
            "know a file by anything but its path: a name that it gets elsewhere is judged by itself",
        )

    def says(self, row: operation.Operation) -> str | None:
        return None

    @contextlib.contextmanager
    def enforced(self, scene: scenes.Scene) -> Iterator[mechanism.Launch]:
        name = f"landlock-bpf-compare-{os.getpid()}"
        with apparmor.loaded(profile(name, scene.root, scene.statements)):
            yield mechanism.Launch(enter=functools.partial(apparmor.change_on_exec, name))


def profile(name: str, root: Path, statements: Iterable[scenes.Statement]) -> str:
    """Write statements on a tree as a profile: what "/" has is allowed, and what a folder has more or less, beneath it.

    In AppArmor a denial beats every permission, wherever both stand: a folder that has more than one above it, which is
    denied something, cannot be said.
    """
    said = {root / statement.path: statement for statement in statements}
    lines: list[str] = []
    for path in sorted(said, key=lambda path: len(path.parts)):
        above = next((said[each] for each in path.parents if each in said), None)
        lines += _rules(path, said[path], above)
    return f"profile {name} {{\n{GRANTED}{''.join(lines)}}}\n"


def _rules(path: Path, said: scenes.Statement, above: scenes.Statement | None) -> Iterator[str]:
    pattern = f'"{path}{{,/,/**}}"' if above else "/{,**}"
    for letters, has, had in (READ, said.read, above and above.read), (WRITE, said.write, above and above.write):
        if has and not had:
            yield f"  {pattern} {letters},\n"
        elif had and not has:
            yield f"  deny {pattern} {letters.replace('ix', 'x')},\n"
