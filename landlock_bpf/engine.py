# SPDX-License-Identifier: GPL-2.0-only
"""The engine in the kernel: its maps, programs and attached hooks, pinned under the bpffs, so that they outlive us."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from landlock_bpf import abi, bpf, hooks, identifier, identity, libbpf, maps

BPFFS = Path("/sys/fs/bpf")  # its names have no dots (kernel/bpf/inode.c, bpf_lookup)
PINS = BPFFS / "landlock-bpf"
RUN = Path("/run/landlock-bpf")  # files about what is pinned, and gone when that is: at a reboot
MODULES_BTF = Path("/sys/kernel/btf")
_RELEASE = 10.0  # seconds that the kernel may take to let go of a link; seen: milliseconds
# Seconds that memory for entries of maps may be late: a processor has some of it at hand, and a program that takes it faster
# than irq_work brings more gets ENOMEM (kernel/bpf/memalloc.c).
_REFILL = 1.0
_ATTACH_TYPES = {"lsm": bpf.AttachType.LSM_MAC, "tp_btf": bpf.AttachType.TRACE_RAW_TP, "fentry": bpf.AttachType.TRACE_FENTRY}


class Engine:
    """The pinned engine: a context manager over descriptors of those of its maps that are used."""

    def __init__(self, pins: Path) -> None:
        self.pins = pins
        self._stack = contextlib.ExitStack()
        self._rules: dict[str, maps.Map] = {}

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    @functools.cached_property
    def fsview(self) -> maps.Map:
        """From fsview_key to rule, as bytes."""
        return self._map("fsview", abi.FsviewKey, abi.Rule, raw=True)

    @functools.cached_property
    def names(self) -> maps.Map:
        """From name_key to rule, as bytes."""
        return self._map("names", abi.NameKey, abi.Rule, raw=True)

    @functools.cached_property
    def patterns(self) -> maps.Map:
        """From pattern_key to pattern; keys are bytes, as of the others."""
        return self._map("patterns", abi.PatternKey, abi.Pattern, raw=True)

    @functools.cached_property
    def commands(self) -> maps.Map:
        """From command_key, as bytes, to the number of a class."""
        return self._map("commands", abi.CommandKey, ctypes.c_uint32, raw=True)

    @functools.cached_property
    def views(self) -> maps.Map:
        """From view_key to view_marks, as bytes."""
        return self._map("views", abi.ViewKey, abi.ViewMarks, raw=True)

    def rules(self, hook: str) -> maps.Map:
        """From slot to rule programs of a hook, which are there once installation.load_questions() has been called."""
        if hook not in self._rules:
            self._rules[hook] = self._map(f"rules_{hook}", None, ctypes.c_uint32)
        return self._rules[hook]

    @functools.cached_property
    def rulesets(self) -> maps.Map:
        """From index to ruleset."""
        return self._map("rulesets", None, abi.Ruleset)

    @functools.cached_property
    def cgroups(self) -> maps.Map:
        """From cgroup id to the index of a domain."""
        return self._map("cgroups", ctypes.c_uint64, ctypes.c_uint32)

    @functools.cached_property
    def marks(self) -> memoryview:
        """The words of the marks: struct marks tells what they mean."""
        return self._memory("marks", abi.Marks).cast("Q")

    @functools.cached_property
    def tasks(self) -> maps.Map:
        """From pidfd to task."""
        return self._map("tasks", None, abi.Task)

    @functools.cached_property
    def departures(self) -> maps.Map:
        """From the id of a thread to what is kept of it."""
        return self._map("departures", ctypes.c_uint32, abi.Departed)

    @functools.cached_property
    def rooms(self) -> maps.Map:
        """From pidfd to room."""
        return self._map("rooms", None, abi.Room)

    @functools.cached_property
    def opened(self) -> maps.Map:
        """From the address of a struct file to the rights refused at its open."""
        return self._map("opened", None, abi.Opened)

    @functools.cached_property
    def rates(self) -> maps.Map:
        """From the index of a domain to how much it reports."""
        return self._map("rates", None, abi.Rate)

    @functools.cached_property
    def creators(self) -> maps.Map:
        """From the address of the credentials of a mounted overlayfs to its s_dev."""
        return self._map("creators", ctypes.c_uint64, ctypes.c_uint32)

    @functools.cached_property
    def denials(self) -> maps.Map:
        """The ring buffer of denials."""
        return self._map("denials", None, None)

    @functools.cached_property
    def domains(self) -> memoryview:
        """The slots of the map domains, as the bytes that the engine reads."""
        return self._memory("domains", abi.Domain)

    @functools.cached_property
    def filter(self) -> memoryview:
        """The words of the filter."""
        return self._memory("filter", ctypes.c_uint64).cast("Q")

    @functools.cached_property
    def state(self) -> abi.State:
        """The engine's state itself, not a copy: what is assigned to it is there at once."""
        view = self._memory("state", abi.State)
        return abi.State.from_buffer(view)

    @contextlib.contextmanager
    def identifier(self) -> Iterator[identifier.Identifier]:
        """Open the iterator that names objects."""
        program = bpf.obj_get(f"{self.pins}/progs/identify")
        try:
            with identifier.Identifier(program, self.learn_layout) as opened:
                yield opened
        finally:
            os.close(program)

    @functools.cached_property
    def entrance(self) -> int:
        """The descriptor of the program that puts threads into process domains."""
        program = bpf.obj_get(f"{self.pins}/progs/enter")
        self._stack.callback(os.close, program)
        return program

    def enter(self, thread: int, index: int) -> bool:
        """Put a thread into a process domain, 0 for none, and change nothing else that is kept of it; False where it has ended.

        Hold the lock. The program stores the domain alone: the engine may be noting that the thread is moved.
        """
        self.state.entering = index
        link = bpf.link_create_iter(self.entrance, "enter", tid=thread)
        try:
            # Another processor may be making the storage, too.
            return bpf.insist(functools.partial(_entered, link, thread), (errno.ENOMEM,), _REFILL)
        finally:
            os.close(link)

    def fill(self, objects: identity.Objects, runs: bytes, index: int) -> None:
        """Put rules of a ruleset on objects: `runs` are struct rule_run, one after another. After an error some are there."""
        told = abi.Filling(bpf.address_of(objects.block), bpf.address_of(runs), len(runs) // ctypes.sizeof(abi.RuleRun), index)
        self._run("fill", told)

    def announce(self, objects: identity.Objects, number: int) -> None:
        """Say on which objects the marks of a set of views are about to be: the low word of its serial number."""
        self._run("announce", abi.Filling(bpf.address_of(objects.block), 0, len(objects), number))

    def ruleset(self, index: int) -> abi.Ruleset:
        """Read a ruleset as the engine has it; index 0 is empty."""
        found = self.rulesets.lookup(index)
        assert isinstance(found, abi.Ruleset)  # an array has all its elements
        return found

    def attached(self) -> set[str]:
        """Name the hooks that are attached."""
        return set(os.listdir(f"{self.pins}/links"))

    def unattached(self, rows: Iterable[hooks.HookRow]) -> list[hooks.HookRow]:
        """Give those of some hooks that are not attached, but not what this kernel is known to lack."""
        known = {*self.attached(), *os.listdir(f"{self.pins}/absent")}
        return [row for row in rows if row.name not in known]

    def attach(self, rows: Iterable[hooks.HookRow]) -> None:
        """Attach hooks that are not attached yet, each in force from its own link on."""
        attached = self.attached()
        for row in rows:
            if row.name in attached or (row.optional and not (self.pins / "progs" / row.name).exists()):
                continue
            program = bpf.obj_get(self.pins / "progs" / row.name)
            try:
                link = _link(program, row)
            finally:
                os.close(program)
            try:
                bpf.obj_pin(link, self.pins / "links" / row.name)
            finally:
                os.close(link)

    def detach_all_but(self, rows: Iterable[hooks.HookRow]) -> None:
        """Detach the hooks that no live domain needs."""
        surplus = self.attached() - {row.name for row in rows}
        for name in surplus:
            (self.pins / "links" / name).unlink()
        if "file_free_security" in surplus:
            # Nobody removes entries any more, and the address of a struct file is used again.
            self.opened.delete_batch(list(self.opened.keys()))
            self.state.opened = 0
        if "sb_delete" in surplus:
            # The same of credentials.
            self.creators.delete_batch(list(self.creators.keys()))
        if "cgroup_mkdir" in surplus:
            # No domain is left.
            self.marks[:] = memoryview(bytes(self.marks.nbytes)).cast("Q")

    def learn_layout(self) -> None:
        """Tell the programs how filesystems that stack or have subvolumes name objects in this kernel, as far as known now.

        Until then what lies on overlayfs is denied, for it may be what a rule is about; on btrfs no rule can be made yet.
        """
        from landlock_bpf import layout  # reads all types of the kernel, so done rarely

        found, told = layout.read(), self.state.layout
        btrfs, overlay = found.btrfs, found.overlay
        # Each flag last: programs may be reading.
        found.btrfs, found.overlay = told.btrfs, told.overlay
        self.state.layout = found
        self.state.layout.btrfs, self.state.layout.overlay = btrfs, overlay

    def learn_new_layout(self) -> None:
        """Do that if a module came in since."""
        told = self.state.layout
        unknown = [name for name, known in (("btrfs", told.btrfs), ("overlay", told.overlay)) if not known]
        if any(os.path.exists(f"{MODULES_BTF}/{name}") for name in unknown):
            self.learn_layout()

    def _map(self, name: str, key: type[Any] | None, value: type[Any] | None, *, raw: bool = False) -> maps.Map:
        opened = maps.Map.open(f"{self.pins}/maps/{name}", key=key, value=value, raw=raw)
        return self._stack.enter_context(opened)

    def _run(self, name: str, context: ctypes.Structure) -> None:
        """Run a program that may be run anew after an error: what it had put into maps by then is put there once more."""
        program = bpf.obj_get(f"{self.pins}/progs/{name}")
        try:
            bpf.insist(lambda: bpf.prog_run(program, context, name), (errno.ENOMEM,), _REFILL)
        finally:
            os.close(program)

    def _memory(self, name: str, value: type[ctypes.Structure] | type[ctypes.c_uint64]) -> memoryview:
        with maps.Map.open(f"{self.pins}/maps/{name}", value=value) as opened:
            mapped = opened.mmap(writable=True)
        return memoryview(mapped)


def find() -> Engine | None:
    """Find the pinned engine; None where none is loaded."""
    return Engine(PINS) if PINS.is_dir() else None


def _entered(link: int, thread: int) -> bool:
    stored = bpf.iter_read(link, "enter")
    if stored and not any(stored):
        raise libbpf.failure(errno.ENOMEM, "keep the process domain of", f"thread {thread}")
    return bool(stored)


def _link(program: int, row: hooks.HookRow) -> int:
    """Link a program to its hook. The kernel lets go of a removed link a little later, and until then answers EBUSY."""
    attempt = functools.partial(bpf.link_create, program, _ATTACH_TYPES[row.kind], f"the hook {row.name}")
    return bpf.insist(attempt, (errno.EBUSY,), _RELEASE)
