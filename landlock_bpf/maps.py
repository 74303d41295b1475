# SPDX-License-Identifier: GPL-2.0-only
"""A BPF map: a live thing that owns its descriptor and knows the sizes of its keys and values."""

from __future__ import annotations

import ctypes
import enum
import errno
import mmap
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ctypes import c_uint32
from pathlib import Path
from typing import Any, Union

from landlock_bpf import bpf, errors, libbpf

ANY = 0  # BPF_ANY: set the entry whether or not it is there
# The kernel's own "not supported", which errno.h lacks: what a map type without batch commands answers.
ENOTSUPP = 524
_BATCH = 1024  # entries of one call: what they take is used again for the next

Data = Union[bytes, int, ctypes.Structure]


class MapType(enum.IntEnum):
    """enum bpf_map_type; those that we use or probe."""

    HASH = 1
    ARRAY = 2
    ARRAY_OF_MAPS = 12
    RINGBUF = 27
    TASK_STORAGE = 29


class Map:
    """A map behind a descriptor, which it owns; a context manager.

    `key` and `value` are the types of abi.py: sizes are compared at once (UnsupportedError where an engine of another
    version made the map), and look-ups give back values of that type; without them, or if `raw`, bytes. A key or value to
    write may be bytes, an int or a ctypes structure. Keys of task storage are pidfds.
    """

    def __init__(self, fd: int, *, key: type[Any] | None = None, value: type[Any] | None = None, raw: bool = False) -> None:
        self.fd = fd
        self.info = bpf.map_info(fd)
        self.name: str = self.info.name.decode()
        self._key, self._value = (None, None) if raw else (key, value)
        self._key_size, self._value_size = self.info.key_size, self.info.value_size
        self._lib = libbpf.library()
        self._compare("keys", self.info.key_size, key)
        self._compare("values", self.info.value_size, value)

    @classmethod
    def open(cls, path: Path | str, *, key: type[Any] | None = None, value: type[Any] | None = None, raw: bool = False) -> Map:
        """Open a pinned map."""
        return cls(bpf.obj_get(path), key=key, value=value, raw=raw)

    @classmethod
    def create(cls, kind: MapType, name: str, key_size: int, value_size: int, max_entries: int) -> Map:
        """Create a map (an inner one, or for a probe); the engine's come with its object."""
        opts = libbpf.MapCreateOpts(sz=ctypes.sizeof(libbpf.MapCreateOpts))
        fd = libbpf.library().bpf_map_create(kind, name.encode(), key_size, value_size, max_entries, ctypes.byref(opts))
        return cls(libbpf.check(fd, "create the map", name))

    def __enter__(self) -> Map:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptor."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def update(self, key: Data, value: Data) -> None:
        """Set one entry."""
        result = self._lib.bpf_map_update_elem(self.fd, self._pack_key(key), self._pack_value(value), ANY)
        self._check(result, "update")

    def update_batch(self, entries: Mapping[Any, Data]) -> None:
        """Set many entries; not atomic: after an error those before the failing one are set."""
        self.update_joined(b"".join(map(self._pack_key, entries)), list(map(self._pack_value, entries.values())))

    def update_joined(self, keys: bytes, values: Sequence[bytes]) -> None:
        """Do the same with keys that stand one after another, in few calls where the map type can."""
        opts = libbpf.MapBatchOpts(ctypes.sizeof(libbpf.MapBatchOpts), ANY, 0)
        size = self._key_size
        for start in range(0, len(values), _BATCH):
            some, those = values[start : start + _BATCH], keys[start * size : (start + _BATCH) * size]
            count = c_uint32(len(some))
            result = self._lib.bpf_map_update_batch(self.fd, those, b"".join(some), ctypes.byref(count), ctypes.byref(opts))
            if result == -ENOTSUPP:
                for number, value in enumerate(some):
                    self.update(those[number * size : (number + 1) * size], value)
                continue
            self._check(result, f"update (entry {start + count.value + 1} of {len(values)})")

    def lookup(self, key: Data) -> Any | None:
        """Read one entry; None where there is none."""
        buffer = ctypes.create_string_buffer(self.info.value_size)
        result = self._lib.bpf_map_lookup_elem(self.fd, self._pack_key(key), buffer)
        if result == -errno.ENOENT:
            return None
        self._check(result, "look up")
        return self._unpack(buffer.raw, self._value)

    def keys(self) -> Iterator[Any]:
        """Walk the keys one by one; entries that come or go meanwhile may be missed, and a walk may start again."""
        key, following = None, ctypes.create_string_buffer(self.info.key_size)
        while (result := self._lib.bpf_map_get_next_key(self.fd, key, following)) != -errno.ENOENT:
            self._check(result, "list the keys of")
            key = following.raw
            yield self._unpack(key, self._key)

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Read all entries, many a call where the map type can."""
        position: Any = None
        count, size = c_uint32(), _BATCH
        key_size, value_size = self.info.key_size, self.info.value_size
        # Room for a key or the hash table's own bucket number (htab_map_get_next_batch copies 4 bytes).
        following = ctypes.create_string_buffer(max(key_size, 4))
        result = 0
        while result == 0:
            keys, values = ctypes.create_string_buffer(key_size * size), ctypes.create_string_buffer(value_size * size)
            count.value = size
            result = self._lib.bpf_map_lookup_batch(self.fd, position, following, keys, values, ctypes.byref(count), None)
            if result == -errno.ENOSPC:  # one bucket holds more than we have room for
                size, result = size * 2, 0
                continue
            if result == -ENOTSUPP:
                yield from ((key, value) for key in self.keys() if (value := self.lookup(key)) is not None)
                return
            if result != -errno.ENOENT:
                self._check(result, "read")
            raw_keys, raw_values = (buffer.raw if count.value else b"" for buffer in (keys, values))  # each time a copy
            for index in range(count.value):
                key = raw_keys[index * key_size : (index + 1) * key_size]
                value = raw_values[index * value_size : (index + 1) * value_size]
                yield self._unpack(key, self._key), self._unpack(value, self._value)
            position = ctypes.create_string_buffer(following.raw, len(following))

    def delete(self, key: Data) -> bool:
        """Delete one entry; say whether it was there."""
        result = self._lib.bpf_map_delete_elem(self.fd, self._pack_key(key))
        if result == -errno.ENOENT:
            return False
        self._check(result, "delete from")
        return True

    def delete_batch(self, keys: Iterable[Data]) -> None:
        """Delete many entries; those that are not there are no error."""
        self.delete_joined(b"".join(map(self._pack_key, keys)))

    def delete_joined(self, keys: bytes) -> None:
        """Do the same with keys that stand one after another, in one call where the map type can."""
        size = self._key_size
        while keys:
            count = c_uint32(len(keys) // size)
            result = self._lib.bpf_map_delete_batch(self.fd, keys, ctypes.byref(count), None)
            if result == -ENOTSUPP:
                for start in range(0, len(keys), size):
                    self.delete(keys[start : start + size])
                return
            if result != -errno.ENOENT:
                self._check(result, "delete from")
                return
            keys = keys[(count.value + 1) * size :]  # the kernel stops at the first that is missing

    def mmap(self, *, writable: bool = False) -> mmap.mmap:
        """Map an array with BPF_F_MMAPABLE (.bss and .data are) into memory; the caller closes it."""
        access = mmap.PROT_READ | mmap.PROT_WRITE if writable else mmap.PROT_READ
        # Elements of an array are 8 bytes aligned (array_map_alloc).
        size = (self.info.value_size + 7 & ~7) * self.info.max_entries
        try:
            return mmap.mmap(self.fd, size, mmap.MAP_SHARED, access)
        except OSError as cause:
            raise libbpf.failure(cause.errno or errno.EINVAL, "map into memory", f"map {self.name}") from cause

    def _check(self, result: int, attempted: str) -> None:
        libbpf.check(result, attempted, f"map {self.name}")

    def _compare(self, what: str, size: int, expected: type[Any] | None) -> None:
        if expected is not None and ctypes.sizeof(expected) != size:
            raise errors.UnsupportedError(
                f"map {self.name} has {what} of {size} bytes, this version's are {ctypes.sizeof(expected)}",
                "another version of landlock-bpf loaded the engine: `landlock-bpf unload` with that one, then try again",
            )

    def _pack_key(self, key: Data) -> bytes:
        return key if type(key) is bytes and len(key) == self._key_size else self._pack(key, self._key_size, "key")

    def _pack_value(self, value: Data) -> bytes:
        return (
            value if type(value) is bytes and len(value) == self._value_size else self._pack(value, self._value_size, "value")
        )

    def _pack(self, data: Data, size: int, what: str) -> bytes:
        packed = data.to_bytes(size, sys.byteorder, signed=data < 0) if isinstance(data, int) else bytes(data)
        # The kernel reads as many bytes as the map says, from a buffer whose size it cannot know.
        if len(packed) != size:
            raise ValueError(f"map {self.name}: a {what} is {size} bytes, not {len(packed)}")
        return packed

    def _unpack(self, data: bytes, kind: type[Any] | None) -> Any:
        return data if kind is None else kind.from_buffer_copy(data)
