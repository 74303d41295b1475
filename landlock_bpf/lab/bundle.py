# SPDX-License-Identifier: GPL-2.0-only
"""An OCI bundle: a root made of busybox alone, and config.json with what Docker gives a container by default."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from landlock_bpf import errors

FIRST = "first"  # the name there of a program that comes before the container's own
BUSYBOX = Path("/bin/busybox")
# Docker's default (moby, oci/caps/defaults.go): enough for root's usual work on files, nothing for mounts.
CAPABILITIES = (
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
)
NAMESPACES = ("pid", "network", "ipc", "uts", "mount")


def make(folder: Path, program: str, first: Path | None) -> None:
    """Make a bundle in a new folder, with the container's program /escape and, if given, one that comes before that."""
    root = folder / "rootfs"
    for name in ("bin", "dev", "out", "proc"):
        (root / name).mkdir(parents=True)
    if not BUSYBOX.exists():
        raise errors.UnsupportedError(f"{BUSYBOX} is not there", "install it (Debian: apt-get install busybox-static)")
    shutil.copy(BUSYBOX, root / "bin" / "busybox")
    for applet in subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    (root / "escape").write_text(program)
    (root / "escape").chmod(0o755)
    if first:
        shutil.copy(first, root / FIRST)
        (root / FIRST).chmod(0o755)


def configure(folder: Path, words: Sequence[str], workdir: str, cgroup: str) -> None:
    """Write config.json: the command line, its working directory, and the cgroup beneath the root of cgroup2."""
    config: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs"},
        "process": {
            "args": list(words),
            "env": ["PATH=/bin"],
            "cwd": workdir,
            "user": {"uid": 0, "gid": 0},
            "capabilities": {kind: list(CAPABILITIES) for kind in ("bounding", "effective", "permitted")},
            "noNewPrivileges": True,
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
        ],
        "linux": {"namespaces": [{"type": name} for name in NAMESPACES], "cgroupsPath": cgroup},
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
