# SPDX-License-Identifier: GPL-2.0-only
"""The loader: from a compiled object (a description) to programs and maps in the kernel (live things)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from landlock_bpf import abi, btf, errors, libbpf, maps, verifier

# The marks that libbpf puts around the verifier's log (libbpf_prog_load).
_LOG_BEGIN, _LOG_END = "-- BEGIN PROG LOAD LOG --", "-- END PROG LOAD LOG --"


class Object:
    """A BPF object: open it, load it, take its maps and programs, close it. A context manager.

    Closing removes from the kernel all that is neither pinned nor held by a descriptor of somebody else.
    """

    def __init__(self, image: bytes, name: str) -> None:
        """Open an ELF image; `name` goes before the names of its data maps in the kernel (`name.bss`)."""
        self.name = name
        self._lib = libbpf.library()
        opts = libbpf.ObjectOpenOpts(ctypes.sizeof(libbpf.ObjectOpenOpts), name.encode())
        with libbpf.messages() as words:
            self._handle = self._lib.bpf_object__open_mem(image, len(image), ctypes.byref(opts))
            number = ctypes.get_errno()
        if not self._handle:
            raise _refusal(number, "open the object", name, words)
        self._image = image  # libbpf keeps pointers into it
        self._btf = btf.Btf(self._lib.bpf_object__btf(self._handle), name, owned=False)
        self._maps = dict(self._walk("bpf_object__next_map", self._lib.bpf_map__name))
        self._reused: set[str] = set()
        self._programs = dict(self._walk("bpf_object__next_program", self._lib.bpf_program__name))

    @classmethod
    def open_file(cls, path: Path) -> Object:
        """Open an object file."""
        return cls(path.read_bytes(), path.name.split(".")[0].split("-")[0])

    def __enter__(self) -> Object:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all descriptors of the object."""
        if self._handle:
            self._lib.bpf_object__close(self._handle)
            self._handle = None

    def skip(self, names: Iterable[str]) -> None:
        """Leave programs out of load(): hooks that this kernel has not, or that nobody needs."""
        for name in names:
            libbpf.check(self._lib.bpf_program__set_autoload(self._program(name), False), "leave out", name)

    def reuse(self, name: str, fd: int) -> None:
        """Let a map be one that exists already, before load(); the descriptor remains the caller's."""
        self._reused.add(name)
        libbpf.check(self._lib.bpf_map__reuse_fd(self._map(name), fd), "reuse the map", name)

    def load(self) -> None:
        """Create the maps and load the programs.

        Raises VerifierError where the verifier refuses a program (its full log is in the error), KernelError where
        the kernel refuses anything else, UnsupportedError where a map's sizes are not those of abi.py.
        """
        self._compare_sizes()
        with libbpf.messages() as words:
            result = self._lib.bpf_object__load(self._handle)
        if result < 0:
            raise _refusal(-result, "load", self.name, words)

    def map_names(self) -> tuple[str, ...]:
        """The names of all maps."""
        return tuple(self._maps)

    def program_names(self) -> tuple[str, ...]:
        """The names of all programs, those left out included."""
        return tuple(self._programs)

    def map(self, name: str, *, key: type[Any] | None = None, value: type[Any] | None = None) -> maps.Map:
        """Give a map of a loaded object, with a descriptor of its own: it may outlive the object."""
        return maps.Map(os.dup(self._fd("map", name, self._map(name))), key=key, value=value)

    def program(self, name: str) -> int:
        """Give the descriptor of a loaded program; it is the object's and closed with it."""
        return self._fd("program", name, self._program(name))

    def section(self, name: str) -> str:
        """Give the section of a program (`lsm/file_open`, `tp_btf/cgroup_mkdir`)."""
        section: bytes = self._lib.bpf_program__section_name(self._program(name))
        return section.decode()

    def _compare_sizes(self) -> None:
        """Compare the maps' keys and values that are structs of abi.h with the classes of abi.py."""
        for name, handle in self._maps.items():
            if name in self._reused:
                continue  # compared when it was made; its type ids are of another object's BTF
            for what, type_id, size in (
                ("keys", self._lib.bpf_map__btf_key_type_id(handle), self._lib.bpf_map__key_size(handle)),
                ("values", self._lib.bpf_map__btf_value_type_id(handle), self._lib.bpf_map__value_size(handle)),
            ):
                known = abi.RECORDS.get(self._btf.name(self._btf.resolve(type_id)))
                if known is not None and ctypes.sizeof(known) != size:
                    raise errors.UnsupportedError(
                        f"{what} of the map {name} are {size} bytes, in abi.py {ctypes.sizeof(known)}",
                        "generate it anew: its first lines say how",
                    )

    def _fd(self, kind: str, name: str, handle: int) -> int:
        fd: int = getattr(self._lib, f"bpf_{kind}__fd")(handle)
        if fd < 0:
            raise errors.NotFoundError(f"the {kind} {name} of {self.name} is not loaded")
        return fd

    def _map(self, name: str) -> int:
        if name not in self._maps:
            raise errors.NotFoundError(f"{self.name} has no map {name}")
        return self._maps[name]

    def _program(self, name: str) -> int:
        if name not in self._programs:
            raise errors.NotFoundError(f"{self.name} has no program {name}")
        return self._programs[name]

    def _walk(self, step: str, name_of: Any) -> Iterator[tuple[str, int]]:
        handle = None
        while handle := getattr(self._lib, step)(self._handle, handle):
            yield name_of(handle).decode(), handle


def _refusal(number: int, attempted: str, subject: str, words: list[tuple[int, str]]) -> errors.Error:
    """Tell apart a refusal of the verifier, which comes with its log, of libbpf, and of the kernel as such."""
    warnings = [message for level, message in words if level == libbpf.WARN]
    for message in warnings:
        log = message.partition(_LOG_BEGIN)[2].partition(_LOG_END)[0].strip("\n")
        if log:
            name = message.split("'")[1]
            return errors.VerifierError(f"the verifier refuses the program {name}: {verifier.reason(log)}", log)
    said = "".join(warnings).replace("libbpf: ", "").strip()
    if number >= libbpf.OWN_ERRORS:
        return errors.CompileError(f"cannot {attempted} {subject}: libbpf finds it unfit (its error {number})", said)
    first = said.partition("\n")[0]
    return libbpf.failure(number, attempted, f"{subject} ({first})" if first else subject)
