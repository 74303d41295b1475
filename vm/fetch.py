# SPDX-License-Identifier: GPL-2.0-only
"""Fetch the newest kernel of each series asked for from Debian's archive, and unpack it into the cache, never onto the host."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import initramfs
import kernels

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# The host's configuration stays in force (proxies above all) but for its sources, its state and its hooks.
APT_CONFIGURATION = """\
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::IndexTargets::deb::DEP-11;
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "{folder}/state";
Dir::State::Status "/dev/null";
Dir::Cache "{folder}/cache";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Check-Valid-Until "{check}";
"""


class Unavailable(Exception):
    """A kernel of the table that the archive, as this host reaches it, does not have."""


class Archive:
    """Debian's archive through a private configuration of apt, kept in the folder given."""

    def __init__(self, folder: Path, rows: list[kernels.Row]) -> None:
        self._folder = folder
        for name in ("state/lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        bases = _bases()
        if {row.archive for row in rows} - bases.keys():
            # A host whose lists were removed, as container images have it: read them anew, into our folder.
            own = ("-o", f"Dir::State::Lists={folder}/lists", "-o", "APT::Sandbox::User=root")
            (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
            _run("apt-get", *own, "update", "-qq")
            bases = _bases(*own)
        missing = {row.archive for row in rows} - bases.keys()
        if missing:
            labels = ", ".join(sorted(missing))
            raise Unavailable(f"the host's apt sources name no archive labelled {labels}: add it to /etc/apt/sources.list.d")
        sources = {f"deb [signed-by={KEYRING}] {bases[row.archive]} {row.suite} main\n" for row in rows}
        (folder / "sources.list").write_text("".join(sorted(sources)))
        check = _run("apt-config", "shell", "value", "Acquire::Check-Valid-Until")
        check = "false" if "false" in check else "true"
        (folder / "apt.conf").write_text(APT_CONFIGURATION.format(folder=folder, check=check))
        self._run("apt-get", "update", "-qq")

    def _run(self, command: str, *words: str, cwd: Path | None = None) -> str:
        return _run(command, "-c", self._folder / "apt.conf", *words, cwd=cwd)

    def newest(self, series: str) -> str:
        """Name the newest plain kernel of a series, as `uname -r` will: neither -cloud (no 9p) nor -rt."""
        name = re.compile(rf"linux-image-({re.escape(series)}[.\d]*\+deb[^-]*-amd64)")
        found = (name.fullmatch(line) for line in self._run("apt-cache", "pkgnames", f"linux-image-{series}").splitlines())
        versions = [match[1] for match in found if match]
        if not versions:
            raise Unavailable(f"the archive has no kernel of the series {series}: mend its row in {kernels.TABLE}")
        return max(versions, key=lambda version: [int(number) for number in re.findall(r"\d+", version)])

    def download(self, version: str, target: Path) -> list[Path]:
        """Download the image, and the packages it is split into since 7.x."""
        image = f"linux-image-{version}"
        needed = self._run("apt-cache", "depends", "--important", image)
        parts = re.findall(rf"linux-(?:base|binary|modules)-{re.escape(version)}", needed)
        self._run("apt-get", "download", "-qq", *dict.fromkeys([image, *parts]), cwd=target)
        return sorted(target.glob("*.deb"))


def _run(*words: str | Path, cwd: Path | None = None) -> str:
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, cwd=cwd).stdout


def _bases(*options: str) -> dict[str, str]:
    """Map the label of each archive in the host's apt sources to its address."""
    columns = ("--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages")
    fields = (line.split("|") for line in _run("apt-get", *options, "indextargets", *columns).splitlines())
    return {label: base for origin, label, base in fields if origin == "Debian"}


def _extract(image: Path, target: Path) -> None:
    """Unpack the ELF file inside a bzImage, which QEMU starts at once; under emulation the kernel needs seconds for it.

    Offsets from Documentation/arch/x86/boot.rst: setup_sects, payload_offset and payload_length. Debian compresses with zstd;
    the last four bytes of the payload are the unpacked size.
    """
    data = image.read_bytes()
    start = (data[0x1F1] + 1) * 512
    offset, length = struct.unpack_from("<II", data, 0x248)
    payload = data[start + offset : start + offset + length - 4]
    with target.open("wb") as stream:
        subprocess.run(["zstd", "-dcq"], input=payload, stdout=stream, check=True)


def _one(pattern: str, *folders: Path) -> Path:
    return next(path for folder in folders for path in folder.glob(pattern))


def fetch(archive: Archive, series: str) -> kernels.Image:
    """Bring the newest kernel of a series into the cache; the rename at the end makes it visible whole."""
    version = archive.newest(series)
    print(f"vm/setup: fetching Linux {version}", file=sys.stderr, flush=True)
    folder = kernels.cache() / "kernels" / series
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{series}-") as name:
        work = Path(name)
        new, unpacked = work / "new", work / "unpacked"
        for package in archive.download(version, work):
            _run("dpkg", "-x", package, unpacked)
        (new / "lib" / "modules").mkdir(parents=True)
        _one(f"lib/modules/{version}", unpacked, unpacked / "usr").rename(new / "lib" / "modules" / version)
        bzimage = _one("vmlinuz*", unpacked / "boot", new / "lib" / "modules" / version)
        _extract(bzimage, new / "vmlinux")
        _run("/sbin/depmod", "-b", new, version)
        initramfs.write(new / "initramfs", new / "lib" / "modules" / version)
        (new / "version").write_text(f"{version}\n")
        if folder.exists():
            folder.rename(work / "old")
        new.chmod(0o755)
        new.rename(folder)
    image = kernels.find(series)
    assert image is not None, f"{folder} vanished"
    return image


def _stale(series: str) -> Iterator[kernels.Image]:
    """Yield the kernel of a series when its initramfs is older than what it is made from."""
    image = kernels.find(series)
    if image and image.initramfs.stat().st_mtime < max(path.stat().st_mtime for path in initramfs.SOURCES):
        yield image


def main() -> int:
    """Fetch the series named that the cache lacks, all of them with --upgrade."""
    upgrade = "--upgrade" in sys.argv
    rows = [kernels.row(series) for series in sys.argv[1:] if series != "--upgrade"]
    wanted = [row for row in rows if upgrade or not kernels.find(row.series)]
    folder = kernels.cache() / "apt"
    try:
        if wanted:
            archive = Archive(folder, wanted)
            for row in wanted:
                fetch(archive, row.series)
    except Unavailable as error:
        print(f"vm/setup: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for row in rows:
        for image in _stale(row.series):
            initramfs.write(image.initramfs, image.modules)
    return 0


if __name__ == "__main__":
    sys.exit(main())
