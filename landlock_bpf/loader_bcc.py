# SPDX-License-Identifier: GPL-2.0-only
"""The loader bcc: rule programs compiled by a library, with no clang installed and no package of kernel headers.

bcc knows neither subprograms nor maps of others, and passes no attach type of BPF_LSM_CGROUP. So the templates put all
into one function, maps are numbers that are exchanged for descriptors here, and the load is libbpf's.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import json
import os
import struct
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from landlock_bpf import abi, bpf, btf, compiler, elf, errors, libbpf, loader, questions, ruleset, verifier

if TYPE_CHECKING:
    from landlock_bpf import engine

KERNEL = "bcc"  # the folder that bcc takes for the kernel's source tree
REMEDY = "install it (Debian: apt-get install python3-bpfcc), or use --loader libbpf"
# For the lines in the verifier's log. Not -w: it would silence what the texts make errors of, too.
_FLAGS = ("-g",)
_LOAD_MAP = 0x18, 1  # opcode of a load of 64 bits, and the source register that makes it one of a map's descriptor
_LOG = 1 << 24
_WHAT = "the rules of a layer"
_ROOMS, _RULES = 1, 2  # the numbers of maps in a text
_IMMEDIATE = struct.Struct("=i")


class Loader:
    """See loader.Loader."""

    name = loader.BCC

    def compile(self, text: str, files: Mapping[str, str], what: str) -> dict[str, elf.Function]:
        return {name: elf.Function(code) for name, code in _compiled(text, files, what).items()}

    def load(self, layer: loader.Layer, attach: str, live: engine.Engine) -> dict[abi.Hook, int]:
        hooks = loader.present(layer)
        with contextlib.ExitStack() as undo, btf.Btf.vmlinux() as vmlinux:
            texts = _Texts(layer, attach, _offsets(vmlinux) if attach == ruleset.LSM_CGROUP else None)
            functions = _compiled(*texts.of_all, _WHAT)
            descriptors = {}
            for row in hooks:
                name = loader.PROGRAM + row.hook
                maps = {_ROOMS: live.rooms.fd, _RULES: live.rules(row.hook).fd} if attach == ruleset.ENGINE else {}
                code = _with_maps(functions.get(name) or functions[texts.shared], maps)
                function = vmlinux.find(f"bpf_lsm_{row.hook}", btf.Kind.FUNC)
                assert function is not None, row.hook
                fd, log = bpf.prog_load_lsm(code, name, loader.ATTACH_TYPES[attach], function)
                if fd < 0 and log:
                    log = _explain(*texts.of(row), name, code) or log
                    raise verifier.refusal(log, "this rule", dict(layer.sources))
                libbpf.check(fd, "load the rule programs of the hook", row.hook)
                undo.callback(os.close, fd)
                descriptors[row.number] = fd
            undo.pop_all()
            return descriptors


class _Texts:
    """The C texts of a layer. With the engine all programs are alike but for one map, so only one is compiled."""

    def __init__(self, layer: loader.Layer, attach: str, offsets: Mapping[str, Sequence[int]] | None) -> None:
        self._layer, self._attach, self._offsets = layer, attach, offsets
        self._rows = loader.rows(layer)
        self.shared = loader.PROGRAM + self._rows[0].hook
        self.of_all = self._render(self._rows[:1] if attach == ruleset.ENGINE else self._rows)

    def of(self, row: questions.Row) -> tuple[str, dict[str, str]]:
        """Give the text with the program of one hook."""
        return self._render([row])

    def _render(self, rows: Sequence[questions.Row]) -> tuple[str, dict[str, str]]:
        maps = {"rooms": _ROOMS, **{f"rules_{row.hook}": _RULES for row in rows}}
        return loader.render(self._layer, self._attach, hooks=rows, maps=maps, offsets=self._offsets)


def _compiled(text: str, files: Mapping[str, str], what: str) -> dict[str, bytes]:
    """Compile, or find what was compiled before: all functions by name."""

    def make(path: Path) -> None:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".compile-") as folder:
            made = Path(folder, path.name)
            # What LLVM cannot make code of, such as too large a stack, ends the process that it is in.
            with _quiet() as words:
                child = os.fork()
                if not child:
                    _write_functions(text, files, Path(folder), made)
                _child, status = os.waitpid(child, 0)
            if status:
                raise errors.CompileError(f"bcc refuses {what}", "".join(words).replace(f"{folder}/", "").strip())
            made.replace(path)

    contents = (part for item in sorted(files.items()) for part in item)
    path = compiler.find_compiled("rule-bcc", (loader.BCC, _version(), *_FLAGS, text, *contents), make)
    return {name: bytes.fromhex(code) for name, code in json.loads(path.read_text()).items()}


def _write_functions(text: str, files: Mapping[str, str], folder: Path, made: Path) -> NoReturn:
    """Compile in a process of its own, which ends here: with 0 where `made` has the functions."""
    status = 1
    try:
        with _module(text, files, folder) as module:
            made.write_text(json.dumps({name: code.hex() for name, code in _functions(module)}))
        status = 0
    except errors.CompileError:
        pass  # the words are on stderr
    finally:
        os._exit(status)


def _version() -> str:
    """Say which bcc there is, without the time that importing it takes: another version comes as other files."""
    found = importlib.util.find_spec("bcc")
    if found is None or found.origin is None:
        raise errors.UnsupportedError("bcc is not installed", REMEDY)
    status = os.stat(found.origin)
    return f"{found.origin} {status.st_size} {status.st_mtime_ns}"


def _bcc() -> Any:
    try:
        import bcc
        import bcc.libbcc
    except ImportError as cause:
        raise errors.UnsupportedError(f"bcc is not installed ({cause})", REMEDY) from cause
    return bcc


@contextlib.contextmanager
def _module(text: str, files: Mapping[str, str], folder: Path) -> Iterator[int]:
    """Have bcc compile a text, its files put into the folder; the words of a CompileError are on stderr."""
    lib = _bcc().libbcc.lib
    sources = compiler.source_dir()
    for name, content in files.items():
        (folder / name).write_text(content)
    flags = [*_FLAGS, f"-I{folder}", f"-I{sources}"]
    array = (ctypes.c_char_p * len(flags))(*map(str.encode, flags))
    with _environment(BCC_KERNEL_SOURCE=str(sources / KERNEL)):
        module = lib.bpf_module_create_c_from_string(text.encode(), 0, array, len(flags), False, None)
    if not module:
        raise errors.CompileError("bcc refuses")
    try:
        yield module
    finally:
        lib.bpf_module_destroy(module)


def _functions(module: int) -> Iterator[tuple[str, bytes]]:
    lib = _bcc().libbcc.lib
    for number in range(lib.bpf_num_functions(module)):
        name = lib.bpf_function_name(module, number)
        start, size = lib.bpf_function_start(module, name), lib.bpf_function_size(module, name)
        yield name.decode(), ctypes.string_at(start, size)


def _explain(text: str, files: Mapping[str, str], name: str, code: bytes) -> str:
    """Have the verifier refuse once more, through bcc, which knows the lines of the source, and give its log.

    The log lacks them where the verifier's errno is EINVAL: then bcc takes the kernel for an old one, and tries without.
    """
    lib = _bcc().libbcc.lib
    log = ctypes.create_string_buffer(_LOG)
    with _quiet(), tempfile.TemporaryDirectory() as folder, _module(text, files, Path(folder)) as module:
        arguments = (module, bpf.PROG_TYPE_LSM, name.encode(), code, len(code), b"GPL", 0, 1, log, len(log), None, 0)
        fd = lib.bcc_func_load(*arguments)
    if fd >= 0:
        os.close(fd)
        return ""
    return log.value.decode(errors="replace")


def _with_maps(code: bytes, maps: Mapping[int, int]) -> bytes:
    """Exchange the numbers of maps for descriptors."""
    changed = bytearray(code)
    place = 0
    while place < len(code):
        if code[place] == _LOAD_MAP[0]:
            if code[place + 1] >> 4 == _LOAD_MAP[1]:
                (number,) = _IMMEDIATE.unpack_from(code, place + 4)
                _IMMEDIATE.pack_into(changed, place + 4, maps[number])
            place += bpf.INSTRUCTION
        place += bpf.INSTRUCTION
    return bytes(changed)


def _offsets(vmlinux: btf.Btf) -> dict[str, list[int]]:
    """Ask the running kernel where the members of loader.STRUCTS are; one that it lacks is asked for by no hook of its."""
    return {
        name: [vmlinux.offset_of(name, member) or 0 for _kind, member in members] for name, members in loader.STRUCTS.items()
    }


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set variables while the block runs, and stay in this folder: bcc goes to the kernel's source tree."""
    before = {name: os.environ.get(name) for name in variables}
    here = os.open(".", os.O_PATH | os.O_DIRECTORY)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.fchdir(here)
        os.close(here)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _quiet() -> Iterator[list[str]]:
    """Keep what C code writes to stderr from the terminal; once the block is over, the list has it."""
    words: list[str] = []
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.memfd_create("stderr"), "rb") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield words
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            words.append(file.read().decode(errors="replace"))
