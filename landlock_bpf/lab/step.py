# SPDX-License-Identifier: GPL-2.0-only
"""What is tried in the container: a shell command a step, and by what it is known that it came about."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from landlock_bpf.lab.host import Host

HOST, OWN = "host", "own"


@dataclasses.dataclass(frozen=True)
class Step:
    """One step: on files of the HOST, which is to be stopped, or of the container's OWN, which is not.

    `command` is for the shell of the container, whose working directory is the host's root; $host is where the host's
    files lie beneath that, $fd the descriptor, $own the container's root. `happened` looks, outside, at the host and at what
    the command printed; None where nothing but the command's exit status tells.
    """

    name: str
    files: str
    text: str
    command: str
    happened: Callable[[Host, str], bool] | None = None


def _told(host: Host, printed: str) -> bool:
    return host.token in printed


STEPS = (
    Step("stat", HOST, "see the size of a secret", 'stat -c %s "$host/secret"', lambda host, out: out.strip() == host.size),
    Step("list", HOST, "list a directory", 'ls "$host"', lambda host, out: "secret" in out.split()),
    Step("chdir", HOST, "go deeper: cd", 'cd "$host"'),
    Step("read", HOST, "read a secret", 'cat "$host/secret"', _told),
    Step("read-fd", HOST, "read it through /proc/self/fd", 'cat "/proc/self/fd/$fd/$host/secret"', _told),
    Step("execute", HOST, "run a program", '"$host/program"', _told),
    Step(
        "write", HOST, "write to a file", 'echo mine >>"$host/notes"', lambda host, out: host.text("notes").endswith("mine\n")
    ),
    Step("truncate", HOST, "truncate a log", 'truncate -s 0 "$host/log"', lambda host, out: not host.text("log")),
    Step("create", HOST, "make a file", ': >"$host/made"', lambda host, out: host.has("made")),
    Step("mkdir", HOST, "make a directory", 'mkdir "$host/folder"', lambda host, out: host.has("folder")),
    Step("symlink", HOST, "make a symbolic link", 'ln -s / "$host/symlink"', lambda host, out: host.has("symlink")),
    Step("link", HOST, "make a hard link", 'ln "$host/linked" "$host/twin"', lambda host, out: host.has("twin")),
    Step("rename", HOST, "rename a file", 'mv "$host/old" "$host/new"', lambda host, out: host.has("new")),
    Step("remove", HOST, "remove a file", 'rm "$host/precious"', lambda host, out: not host.has("precious")),
    Step("chmod", HOST, "make a program setuid", 'chmod 4755 "$host/tool"', lambda host, out: host.mode("tool") == 0o4755),
    Step("chown", HOST, "give a file away", 'chown 1000 "$host/owned"', lambda host, out: host.status("owned").st_uid == 1000),
    Step(
        "utime", HOST, "date a file back", 'touch -c -d @0 "$host/dated"', lambda host, out: host.status("dated").st_mtime == 0
    ),
    Step("chroot", HOST, "make the host's root its own, run a shell there", "chroot . /bin/busybox sh -c :"),
    Step(
        "own-write",
        OWN,
        "write and read a file",
        'echo mine >"$own/file" && cat "$own/file"',
        lambda host, out: out == "mine\n",
    ),
    Step("own-truncate", OWN, "truncate it", 'truncate -s 0 "$own/file"'),
    Step(
        "own-metadata",
        OWN,
        "change its owner, mode and times",
        'cd "$own/" && chown 1000 file && chmod 4755 file && touch -d @0 file',
    ),
    Step("own-rename", OWN, "rename and remove it", 'mv "$own/file" "$own/new" && rm "$own/new"'),
    Step("own-chdir", OWN, "go into a directory and list it", 'cd "$own/proc" && ls', lambda host, out: "self" in out.split()),
)


def script(host: Host, fd: int, own: str = "") -> str:
    """Write the program of the container: each step in a shell of its own, what it printed and its status in $own/out."""
    lines = ["#!/bin/sh", f"host='{host.beneath_root}' fd={fd} own='{own}'"]
    for step in STEPS:
        out = f'"$own/out/{step.name}'
        lines.append(f'( {step.command} ) >{out}" 2>&1; echo $? >{out}.status"')
    return "\n".join([*lines, ""])
