# SPDX-License-Identifier: GPL-2.0-only
"""The table of kernels, and where an unpacked kernel lies in the cache."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from pathlib import Path

TABLE = Path(__file__).resolve().with_name("kernels.toml")


@dataclasses.dataclass(frozen=True)
class Row:
    """One kernel of the table: what to fetch and what it is known to lack."""

    series: str
    archive: str
    suite: str
    absent: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Image:
    """An unpacked kernel: what QEMU boots."""

    series: str
    version: str
    vmlinux: Path
    initramfs: Path
    modules: Path


def rows() -> tuple[Row, ...]:
    """Read the table; the first row is the default."""
    with TABLE.open("rb") as stream:
        table = tomllib.load(stream)
    return tuple(Row(**{**row, "absent": tuple(row["absent"])}) for row in table["kernel"])


def row(series: str) -> Row:
    """Find the row of a series; KeyError when the table has none."""
    return {row.series: row for row in rows()}[series]


def cache() -> Path:
    """Name the folder for kernels: outside the checkout, so that clones share it."""
    if path := os.environ.get("LANDLOCK_BPF_VM_CACHE"):
        return Path(path)
    if os.geteuid() == 0:
        return Path("/var/cache/landlock-bpf-vm")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "landlock-bpf-vm"


def find(series: str) -> Image | None:
    """Find the unpacked kernel of a series, None when `vm/setup` has not fetched it."""
    folder = cache() / "kernels" / series
    try:
        version = (folder / "version").read_text().strip()
    except FileNotFoundError:
        return None
    return Image(
        series=series,
        version=version,
        vmlinux=folder / "vmlinux",
        initramfs=folder / "initramfs",
        modules=folder / "lib" / "modules" / version,
    )


if __name__ == "__main__":
    print(cache())
