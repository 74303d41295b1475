# SPDX-License-Identifier: GPL-2.0-only
"""The initramfs of a kernel: busybox, and the modules without which the host's folders cannot be mounted."""

from __future__ import annotations

import lzma
import subprocess
from pathlib import Path

from virtme import cpiowriter, mkinitramfs

INIT = Path(__file__).resolve().with_name("initramfs-init")
BUSYBOX = Path("/bin/busybox")
# What the file written follows from, besides the kernel.
SOURCES = (Path(__file__).resolve(), INIT)
# What mounting the host's folders takes; overlay so that the guest may write, the rest is found in /lib/modules.
WANTED = ("virtio_pci", "9pnet_virtio", "9p", "overlay")


def _dependencies(modules: Path, name: str) -> list[Path]:
    """List a module after everything it needs, [] when it is built in."""
    done = subprocess.run(
        ["/sbin/modprobe", "--show-depends", "-C", "/var/empty", "-d", modules.parents[2], "-S", modules.name, name],
        check=True,
        capture_output=True,
        text=True,
    )
    words = (line.split() for line in done.stdout.splitlines())
    return [Path(word[1]) for word in words if word[0] == "insmod"]


def write(target: Path, modules: Path) -> None:
    """Write the initramfs for the kernel whose modules lie in the folder `modules`."""
    wanted = dict.fromkeys(path for name in WANTED for path in _dependencies(modules, name))
    with target.open("wb") as stream:
        archive = cpiowriter.CpioWriter(stream)
        for folder in (b"bin", b"dev", b"modules"):
            archive.mkdir(folder, 0o755)
        mkinitramfs.make_dev_nodes(archive)
        archive.write_file(b"bin/busybox", body=BUSYBOX.read_bytes(), mode=0o755)
        archive.symlink(b"busybox", b"bin/sh")
        names = []
        for path in wanted:
            # Unpacked here, where it is quick: the guest's own unpacking is emulated.
            body = path.read_bytes()
            body = lzma.decompress(body) if path.suffix == ".xz" else body
            names.append(path.name.removesuffix(".xz"))
            archive.write_file(b"modules/" + names[-1].encode(), body=body, mode=0o644)
        archive.write_file(b"modules/order", body="".join(f"{name}\n" for name in names).encode(), mode=0o644)
        archive.write_file(b"init", body=INIT.read_bytes(), mode=0o755)
        archive.write_trailer()
