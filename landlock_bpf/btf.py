# SPDX-License-Identifier: GPL-2.0-only
"""BTF, the type information of the kernel, of its modules and of BPF objects, read through libbpf."""

from __future__ import annotations

import ctypes
import dataclasses
import enum
import struct
from collections.abc import Iterator
from pathlib import Path

from landlock_bpf import libbpf

KERNEL = Path("/sys/kernel/btf")


class Kind(enum.IntEnum):
    """BTF_KIND_*; those of <linux/btf.h> that we look at."""

    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    TYPE_TAG = 18
    ENUM64 = 19


_MODIFIERS = (Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG)
_AGGREGATES = (Kind.STRUCT, Kind.UNION)


@dataclasses.dataclass(frozen=True)
class Member:
    """A member of a struct or union; offsets and the width of a bit field (0: none) are in bits."""

    name: str
    type_id: int
    bit_offset: int
    bit_width: int


class Btf:
    """A loaded BTF: a context manager that frees it. One of a module keeps the vmlinux one that it stands on."""

    def __init__(self, handle: int | None, source: str, *, base: Btf | None = None, owned: bool = True) -> None:
        if not handle:
            raise libbpf.failure(ctypes.get_errno(), "read BTF", source)
        self._handle: int | None = handle
        self._base, self._owned = base, owned
        self._lib = libbpf.library()

    @classmethod
    def vmlinux(cls) -> Btf:
        """Read the running kernel's own types (about 10 ms)."""
        return cls(libbpf.library().btf__load_vmlinux_btf(), str(KERNEL / "vmlinux"))

    @classmethod
    def module(cls, name: str, vmlinux: Btf) -> Btf | None:
        """Read the types of a loaded module, or None where it is not loaded or built in (then they are in vmlinux)."""
        path = KERNEL / name
        if not path.exists():
            return None
        return cls(libbpf.library().btf__load_module_btf(name.encode(), vmlinux._handle), str(path), base=vmlinux)

    @classmethod
    def elf(cls, path: Path) -> Btf:
        """Read the .BTF section of an object file."""
        return cls(libbpf.library().btf__parse_elf(bytes(path), None), str(path))

    @classmethod
    def loaded(cls, btf_id: int) -> Btf:
        """Read the BTF that the kernel holds for a map or program (`btf_id` of its info)."""
        return cls(libbpf.library().btf__load_from_kernel_by_id(btf_id), f"BTF id {btf_id}")

    def __enter__(self) -> Btf:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the BTF; it is of no use afterwards."""
        if self._handle and self._owned:
            self._lib.btf__free(self._handle)
        self._handle = None

    def find(self, name: str, *kinds: Kind) -> int | None:
        """Look up a type by name, a linear search (some ms in vmlinux); an enum of 64 bits answers to ENUM64 only."""
        for kind in kinds:
            type_id: int = self._lib.btf__find_by_name_kind(self._handle, name.encode(), kind)
            if type_id > 0:
                return type_id
        return None

    def types(self) -> Iterator[int]:
        """Every type id."""
        return iter(range(1, self._lib.btf__type_cnt(self._handle)))

    def kind(self, type_id: int) -> int:
        """The kind: a Kind, or the bare number of one that we do not look at."""
        return self._info(type_id) >> 24 & 0x1F

    def name(self, type_id: int) -> str:
        """The name, empty for an anonymous type."""
        return self._string(self._type(type_id).name_off)

    def size(self, type_id: int) -> int:
        """The bytes of an integer, enum, struct or union."""
        return int(self._type(type_id).size_or_type)

    def target(self, type_id: int) -> int:
        """The type that a typedef, qualifier, pointer, function or variable refers to."""
        return int(self._type(type_id).size_or_type)

    def resolve(self, type_id: int) -> int:
        """Follow typedefs and qualifiers to the type itself."""
        while self.kind(type_id) in _MODIFIERS:
            type_id = self.target(type_id)
        return type_id

    def members(self, type_id: int) -> list[Member]:
        """The members of a struct or union, in order."""
        bit_fields = self._info(type_id) >> 31
        found = []
        for name, member_type, offset in self._records(type_id, "III"):
            width = offset >> 24 if bit_fields else 0
            found.append(Member(self._string(name), member_type, offset & 0xFFFFFF if bit_fields else offset, width))
        return found

    def array(self, type_id: int) -> tuple[int, int]:
        """The type of an array's elements, and how many."""
        element, _index, count = struct.unpack("III", self._trailing(type_id, 12))
        return element, count

    def enumerators(self, type_id: int) -> dict[str, int]:
        """The enumerators of an enum of either size, in order."""
        signed = self._info(type_id) >> 31
        if self.kind(type_id) == Kind.ENUM:
            records = self._records(type_id, "Ii" if signed else "II")
            return {self._string(name): value for name, value in records}
        values = {}
        for name, low, high in self._records(type_id, "IIi" if signed else "III"):
            values[self._string(name)] = high << 32 | low
        return values

    def signed(self, type_id: int) -> bool:
        """Whether an integer type is signed."""
        (encoding,) = struct.unpack("I", self._trailing(type_id, 4))
        return bool(encoding >> 24 & 1)

    def offset_of(self, aggregate: str, path: str) -> int | None:
        """Find the byte offset of a member (`root_key.objectid`), looking into anonymous ones; None where there is none.

        Only the member itself and what it embeds are walked, never a pointer: the offset is of one object.
        """
        type_id = self.find(aggregate, *_AGGREGATES)
        offset = 0
        for name in path.split("."):
            found = None if type_id is None else self._member(type_id, name)
            if found is None:
                return None
            offset += found.bit_offset
            type_id = self.resolve(found.type_id)
        return offset // 8

    def hook_args(self, hook: str) -> int | None:
        """Count the arguments of an LSM hook in this kernel; None where it has no such hook."""
        return self.function_args(f"bpf_lsm_{hook}")

    def tracepoint_args(self, tracepoint: str) -> int | None:
        """Count the arguments of a tracepoint in this kernel, its context not counted; None where it has none such."""
        typedef = self.find(f"btf_trace_{tracepoint}", Kind.TYPEDEF)
        if typedef is None:
            return None
        function = self.target(self.target(typedef))  # a typedef of a pointer to a function
        return (self._info(function) & 0xFFFF) - 1

    def function_args(self, name: str) -> int | None:
        """Count the arguments of a function of this kernel; None where it has none of that name."""
        function = self.find(name, Kind.FUNC)
        return None if function is None else self._info(self.target(function)) & 0xFFFF

    def args(self, kind: str, name: str) -> int | None:
        """Count the arguments of what a program of a kind (`lsm`, `tp_btf`, `fentry`) is for; None where it is not there."""
        count = {"lsm": self.hook_args, "tp_btf": self.tracepoint_args, "fentry": self.function_args}[kind]
        return count(name)

    def _member(self, type_id: int, name: str) -> Member | None:
        """Find a member by name; its offset is from the start of `type_id` through anonymous ones."""
        if self.kind(type_id) not in _AGGREGATES:
            return None
        for member in self.members(type_id):
            if member.name == name:
                return member
            if not member.name:
                inner = self._member(self.resolve(member.type_id), name)
                if inner is not None:
                    return dataclasses.replace(inner, bit_offset=member.bit_offset + inner.bit_offset)
        return None

    def _type(self, type_id: int) -> libbpf.BtfType:
        if type_id == 0:
            return libbpf.BtfType()  # void: the one type without an entry
        found: libbpf.BtfType = self._lib.btf__type_by_id(self._handle, type_id).contents
        return found

    def _info(self, type_id: int) -> int:
        return int(self._type(type_id).info)

    def _trailing(self, type_id: int, size: int) -> bytes:
        return ctypes.string_at(ctypes.addressof(self._type(type_id)) + ctypes.sizeof(libbpf.BtfType), size)

    def _records(self, type_id: int, layout: str) -> Iterator[tuple[int, ...]]:
        count = self._info(type_id) & 0xFFFF
        return struct.iter_unpack(layout, self._trailing(type_id, count * struct.calcsize(layout)))

    def _string(self, offset: int) -> str:
        name: bytes = self._lib.btf__name_by_offset(self._handle, offset)
        return name.decode()
