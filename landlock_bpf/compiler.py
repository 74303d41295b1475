# SPDX-License-Identifier: GPL-2.0-only
"""The compiler of BPF objects: clang, behind a cache. `python -m landlock_bpf.compiler` compiles what the engine has."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from landlock_bpf import errors, template

PACKAGE = Path(__file__).resolve().parent
ENGINE = "engine.bpf.c.j2"
QUESTIONS = "questions.bpf.c.j2"
LIBBPF_HEADERS = Path("/usr/include/bpf")
# Debian keeps <asm/types.h>, which <linux/types.h> includes, where clang does not look for a foreign target.
ASM_HEADERS = f"/usr/include/{os.uname().machine}-linux-gnu"
WARNINGS = ("-Wall", "-Wextra", "-Wno-unused-parameter")  # a hook body need not look at each argument of its hook
_KEPT = 400  # files of one kind that the cache holds
FLAGS = ("-target", "bpf", "-mcpu=v3", "-O2", "-g", "-std=gnu11", *WARNINGS, "-idirafter", ASM_HEADERS)


def compile_engine() -> Path:
    """Compile the engine, or find it compiled before, and give the object file's path.

    Raises CompileError with clang's words, UnsupportedError without clang or libbpf's headers, and PrivilegeError
    where another user could have put the object there.
    """
    return _compile(ENGINE)


def compile_questions() -> Path:
    """Compile the programs that ask rule programs, or find them compiled before; raises what compile_engine() does."""
    return _compile(QUESTIONS)


def _compile(name: str) -> Path:
    folder, clang = cache_dir(), find_clang()
    compiled = folder / f"{name.partition('.')[0]}-{_key(clang)}.o"
    if not compiled.exists():
        from landlock_bpf import hooks, questions  # only a cold start needs the tables themselves

        source = template.render(source_dir() / name, hooks=hooks.HOOKS, rows=questions.ROWS)
        _make_cache(folder)
        compile_source(source, compiled, include=(source_dir(),))
    refuse_foreign(compiled)
    return compiled


def compile_source(
    source: str,
    output: Path,
    *,
    include: Iterable[Path] = (),
    flags: Iterable[str] = (),
    files: Mapping[str, str] | None = None,
) -> None:
    """Compile C text into a BPF object that appears under `output` whole or not at all; the text is kept beside it.

    `flags` come after our own. Warnings are errors only where a test says so: a user's clang may know new ones.
    `files` are texts by the names under which the source includes them.
    """
    # Imported here because a warm start, which only looks into the cache, need not pay for them.
    import subprocess
    import tempfile

    clang = find_clang()
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".compile-") as name:
        folder = Path(name)
        text, compiled = folder / output.with_suffix(".bpf.c").name, folder / output.name
        text.write_text(source)
        for file, content in (files or {}).items():
            (folder / file).write_text(content)
        command = [str(clang), *FLAGS, *flags, *(f"-I{path}" for path in include), "-c", str(text), "-o", str(compiled)]
        # A fixed locale, and a home for temporary files that nobody else writes.
        environment = {**os.environ, "LC_ALL": "C", "TMPDIR": name}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode != 0:
            words = done.stderr.replace(f"{name}/", "").strip()
            raise errors.CompileError(f"{clang} refuses {output.stem}", words)
        text.replace(output.with_suffix(".bpf.c"))
        compiled.replace(output)


def find_compiled(kind: str, parts: Iterable[str], make: Callable[[Path], None], suffix: str = ".o") -> Path:
    """Find what was compiled before from the same parts and the same headers of ours, else have it made; gives its path.

    What was made longest ago is removed when there is much. Raises PrivilegeError where another user could have put it
    there, and what `make` raises.
    """
    folder = cache_dir()
    digest = hashlib.sha256()
    for part in parts:
        _add(digest, part.encode())
    for header in sorted(source_dir().rglob("*.h")):
        _add(digest, header.read_bytes())
    compiled = folder / f"{kind}-{digest.hexdigest()[:16]}{suffix}"
    if not compiled.exists():
        _make_cache(folder)
        make(compiled)
        _remove_oldest(folder, kind)
    refuse_foreign(compiled)
    return compiled


def clang_version(clang: Path) -> str:
    """Say which clang and headers of libbpf there are, without running it: another version comes as other files."""
    found = ((path, path.stat()) for path in (clang.resolve(), *sorted(LIBBPF_HEADERS.glob("*.h"))))
    return "\n".join(f"{path} {status.st_size} {status.st_mtime_ns}" for path, status in found)


def find_clang() -> Path:
    """Find clang on the PATH: `clang`, else the newest `clang-NN`."""
    plain = shutil.which("clang")
    if plain:
        return Path(plain)
    versions: dict[int, Path] = {}
    for folder in os.get_exec_path():
        for found in Path(folder).glob("clang-*"):
            match = re.fullmatch(r"clang-(\d+)", found.name)
            if match and os.access(found, os.X_OK):
                versions.setdefault(int(match[1]), found)
    if not versions:
        raise errors.UnsupportedError("clang is not installed", "install it (Debian: apt-get install clang libbpf-dev)")
    return versions[max(versions)]


def source_dir() -> Path:
    """The folder of our BPF C: in the package where it is installed, beside it in a checkout."""
    for folder in (PACKAGE / "bpf", PACKAGE.parent / "bpf"):
        if (folder / "abi.h").exists():
            return folder
    raise errors.NotFoundError(f"the engine's sources (bpf/) are not beside {PACKAGE}; install the package anew")


def policies_dir() -> Path:
    """The folder of the policies and rule sources that ship, beside that of our BPF C."""
    return source_dir().parent / "policies"


def sources() -> tuple[Path, ...]:
    """Name the files that the engine is made of: the rendered texts follow from templates, tables and the way of rendering."""
    folder = source_dir()
    tables = (PACKAGE / name for name in ("hooks.py", "questions.py", "template.py"))
    return folder / ENGINE, folder / QUESTIONS, *sorted(folder.glob("*.h")), *tables


def cache_dir() -> Path:
    """The folder of compiled objects: $LANDLOCK_BPF_CACHE, /var/cache/landlock-bpf for root, else ~/.cache/landlock-bpf."""
    chosen = os.environ.get("LANDLOCK_BPF_CACHE")
    if chosen:
        return Path(chosen).resolve()
    if os.geteuid() == 0:
        return Path("/var/cache/landlock-bpf")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "landlock-bpf"


def _make_cache(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        remedy = "set LANDLOCK_BPF_CACHE to a folder that you may write to"
        raise errors.KernelError("make the folder of compiled objects", str(folder), error.errno or 0, remedy) from error
    refuse_foreign(folder)


def _key(clang: Path) -> str:
    """Hash all that the object depends on, without running clang or rendering."""
    digest = hashlib.sha256(repr(FLAGS).encode())
    for path in sources():
        text = path.read_bytes()
        digest.update(f"{path.name} {len(text)}\n".encode() + text)
    digest.update(clang_version(clang).encode())
    return digest.hexdigest()[:16]


def _add(digest: hashlib._Hash, part: bytes) -> None:
    digest.update(b"%d " % len(part) + part)


def _remove_oldest(folder: Path, kind: str) -> None:
    made = []
    for path in folder.glob(f"{kind}-*"):
        with contextlib.suppress(FileNotFoundError):  # somebody else is at it
            made.append((path.stat().st_mtime_ns, path))
    for _time, path in sorted(made)[:-_KEPT]:
        path.unlink(missing_ok=True)


def refuse_foreign(path: Path) -> None:
    """Refuse for root a path that somebody else could have written or put in place: what is loaded runs in the kernel.

    Whoever may write a folder may replace what is in it, so all folders above count too; a sticky one (/tmp) lets
    only owners do so. Nobody but root loads, and a group of one's own may write many a home.
    """
    if os.geteuid() != 0:
        return
    for part in (path, *path.parents):
        found = part.stat()
        shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        sticky = part != path and found.st_mode & stat.S_ISVTX
        if found.st_uid != 0 or (shared and not sticky):
            raise errors.PrivilegeError(
                f"{part} can be written by another user, so nothing compiled there is loaded; "
                "set LANDLOCK_BPF_CACHE to a folder that only root can write"
            )


if __name__ == "__main__":
    print(compile_engine(), compile_questions(), sep="\n")
