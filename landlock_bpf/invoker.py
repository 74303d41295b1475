# SPDX-License-Identifier: GPL-2.0-only
"""The person behind sudo: whose command `run` runs, and in whose environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from landlock_bpf import errors

_NUMBER = re.compile(r"[0-9]{1,10}")


class Invoker(NamedTuple):
    """A user to become, with all groups; the name is empty where the user database has no entry."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str
    home: str
    shell: str


def find(environ: Mapping[str, str]) -> Invoker | None:
    """Tell who called sudo; None if this is not root through sudo.

    Raises errors.Error where sudo's variables make no sense: to run the command as root then would be a guess upwards.
    """
    if os.geteuid() != 0 or "SUDO_UID" not in environ:
        return None
    uid, gid = environ["SUDO_UID"], environ.get("SUDO_GID", "")
    if not (_NUMBER.fullmatch(uid) and _NUMBER.fullmatch(gid)):
        raise errors.Error(f"SUDO_UID={uid} and SUDO_GID={gid} name no user; unset both to run the command as root")
    import pwd  # may load NSS modules: only under sudo

    try:
        entry = pwd.getpwuid(int(uid))
    except KeyError:
        return Invoker(int(uid), int(gid), (int(gid),), "", "/", "/bin/sh")
    # Asked now: whoever becomes that user is confined, and may not be allowed to read /etc/group any more.
    groups = tuple(os.getgrouplist(entry.pw_name, int(gid)))
    return Invoker(int(uid), int(gid), groups, entry.pw_name, entry.pw_dir, entry.pw_shell or "/bin/sh")


def environment(environ: Mapping[str, str], invoker: Invoker | None) -> dict[str, str]:
    """Make the command's environment: sudo's, but the variables that say who one is are the invoker's own again.

    sudo sets them to root's; a command that writes to root's HOME as somebody else only fails. PATH stays sudo's.
    """
    if invoker is None:
        return dict(environ)
    own = {"HOME": invoker.home, "SHELL": invoker.shell, "USER": invoker.name, "LOGNAME": invoker.name}
    mail = {"MAIL": f"/var/mail/{invoker.name}"} if "MAIL" in environ else {}
    return {**environ, **own, **mail}


def become(invoker: Invoker) -> None:
    """Give up root for good; groups first, since only root may change them."""
    os.setgroups(invoker.groups)
    os.setresgid(invoker.gid, invoker.gid, invoker.gid)
    os.setresuid(invoker.uid, invoker.uid, invoker.uid)
