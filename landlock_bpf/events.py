# SPDX-License-Identifier: GPL-2.0-only
"""Events: denials as the engine reports them, with the rule's file and line from our records, read by one reader at a time."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import datetime
import errno as errnos
import functools
import itertools
import json
import os
import time
from collections.abc import Iterator, Sequence

from landlock_bpf import (
    abi,
    action_table,
    engine,
    errors,
    identity,
    ioctl_commands,
    names,
    pathname,
    policy,
    questions,
    record,
    ringbuf,
    ruleset,
    terminal,
)

# How often a reader that waits looks whether the engine is still the one it reads from.
_LOOK_SECONDS = 1.0

REASONS = {
    abi.Reason.RULE: "a rule denies it",
    abi.Reason.NO_RULE: "no rule allows it",
    abi.Reason.SEALED: "it is, or is on the way to, something that a rule denies",
    abi.Reason.REFER: "it would have more rights there",
    abi.Reason.MOUNT: "mounts stay as they are in a domain",
    abi.Reason.OPENED: "denied when the file was opened",
    abi.Reason.DETACHED: "its mount is in no mount namespace",
    abi.Reason.DISCONNECTED: "its path is not known",
    abi.Reason.DEPTH: f"it is deeper than {int(abi.Limit.DEPTH)} directories",
    abi.Reason.RACE: "renames or mounts went on all the while",
    abi.Reason.FULL: "no room to decide it",
    abi.Reason.PROGRAM: "a rule program denies it",
    abi.Reason.PTRACE: "it is not in all domains of the tracer",
    abi.Reason.MISSING: "a rule program that must be asked is not there",
    abi.Reason.NAMED: "a rule denies its name",
    abi.Reason.DOMAIN: "it would leave or weaken the domain",
    abi.Reason.CROWDED: "it has more names or mounts than are looked at",
}

DENIED, WOULD_BE_DENIED = "denied", "would be denied"

# The hooks that are given dentries or inodes; no hook is given both these and what has a mount.
_MOUNTLESS = {
    row.number for row in questions.ROWS if all(each.handle in (abi.Handle.DENTRY, abi.Handle.INODE) for each in row.questions)
}


@dataclasses.dataclass(frozen=True)
class Denial:
    """An access that was denied, or by a permissive policy would be: see `verdict`.

    `time` is in seconds since 1970, `layer` counts from 0, `action` holds all that were denied, `error` is the errno given.
    `path2` is the second path of a rename or link. `rule` is where the rule that decided was written, `rule_path` what it is
    on; without one, `policy_name` tells whose silence it was. A path that was too long begins with `...`; it is empty where the
    hook is told of no file, as that of bpf(2).

    `command` is that of an ioctl(2), as the kernel has it.

    Where a rule program denied, `rule` is where its `function` was written, `event` is the one of its subtype, and `asked`
    tells arg2: the action bits by their names of 2017, or the command. `mountless`: the hook was not told through which mount,
    so the path begins at the root of its filesystem. `dropped` counts denials of the domain since the one before this that
    were not reported, for there were too many: see Controller.limit_events().
    """

    time: float
    domain: str
    layer: int
    policy_name: str
    action: abi.Action
    hook: str
    error: str
    pid: int
    tid: int
    uid: int
    comm: str
    path: str
    path2: str
    reason: str
    rule: policy.Location | None
    rule_path: str
    function: str = ""
    event: str = ""
    asked: tuple[str, ...] = ()
    mountless: bool = False
    verdict: str = DENIED
    dropped: int = 0
    command: int | None = None


def read(*, follow: bool = True) -> Iterator[Denial]:
    """Give each denial once: those that wait and, with `follow`, all that come until the engine is unloaded.

    Raises BusyError while another process reads, NotFoundError where no engine is loaded.
    """
    with record.alone("events", "reads events"), contextlib.ExitStack() as stack:
        found = engine.find()
        if found is None:
            raise errors.NotFoundError("no engine is loaded, so nothing is denied; `run` and `attach` load it")
        stack.enter_context(found)
        loaded = _age(found)
        buffer = stack.enter_context(ringbuf.RingBuffer(found.denials.fd))
        while True:
            records = buffer.poll(_LOOK_SECONDS if follow else 0)
            yield from map(parse, records)
            if not records and (not follow or _age(found) != loaded):
                return


def parse(data: bytes) -> Denial:
    """Read a struct denial, which may end before its second path."""
    raw = abi.Denial.from_buffer_copy(data.ljust(ctypes.sizeof(abi.Denial), b"\0"))
    told = raw.refusal
    known = _record(told.serial)
    layer = known.layers[told.layer] if known and told.layer < len(known.layers) else None
    if told.reason == abi.Reason.PTRACE:
        layer = None  # it is about all of them
    command = told.command if told.ioctl else None
    if told.event == abi.Event.FS_IOCTL:
        command = told.refused & ioctl_commands.MOST
    rule, rule_path = _rule(layer, told, [pathname.names(raw.path), pathname.names(raw.second)]) if layer else (None, "")
    function = ""
    if told.reason == abi.Reason.PROGRAM and layer and layer.programs and told.rule < len(layer.programs.rules):
        program = layer.programs.rules[told.rule]
        rule, function = policy.Location(program.file, program.line), program.function
    return Denial(
        time.time() + (raw.time - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) / 1e9,
        known.domain if known else f"#{told.domain}",
        told.layer,
        layer.policy if layer else "",
        abi.Action(0) if told.event else action_table.plain(told.refused),
        abi.Hook(told.hook).name.lower(),
        errnos.errorcode.get(-told.error, str(-told.error)),
        raw.pid,
        raw.tid,
        raw.uid,
        raw.comm.decode(errors="replace"),
        pathname.text(raw.path),
        pathname.text(raw.second) if raw.second.bytes else "",
        abi.Reason(told.reason).name.lower(),
        rule,
        rule_path,
        function,
        abi.Event(told.event).name if told.event else "",
        tuple(_asked(told.event, told.refused)),
        bool(told.event) and told.hook in _MOUNTLESS,
        WOULD_BE_DENIED if told.permissive else DENIED,
        raw.dropped,
        command,
    )


def format_text(denial: Denial) -> str:
    """Write a denial as one line for people."""
    when = datetime.datetime.fromtimestamp(denial.time).isoformat(" ", "milliseconds")
    where = f"{denial.path} -> {denial.path2}" if denial.path2 else denial.path
    if denial.mountless and where:
        where = f"fs:{where}"
    what = ",".join(action_table.names(denial.action) or denial.asked) or denial.hook
    if denial.command is not None and not denial.event:
        what += f"({ioctl_commands.name(denial.command)})"
    why = REASONS[abi.Reason[denial.reason.upper()]]
    if denial.rule:
        why += f": {denial.rule}" + (f" {denial.function}()" if denial.function else "")
    elif denial.policy_name:
        why += f" (policy {denial.policy_name})"
    who = f"pid={denial.pid} comm={denial.comm!r} uid={denial.uid}"
    by = f"hook={denial.hook} domain={denial.domain}" + (f" layer={denial.layer}" if denial.policy_name else "")
    return terminal.shown(" ".join(filter(None, (when, denial.verdict.upper(), denial.error, what, where, who, by, why))))


def format_dropped(name: str, count: int) -> str:
    """Say how many denials were not reported."""
    return terminal.shown(f"{count} denials of the domain {name} were not reported: too many, or nobody read them")


def format_json(denial: Denial) -> str:
    """Write a denial as one line of JSON."""
    told = dataclasses.asdict(denial)
    told["action"] = action_table.names(denial.action)
    return json.dumps(told)


def _rule(layer: ruleset.Layer, told: abi.Refusal, paths: Sequence[Sequence[bytes]]) -> tuple[policy.Location | None, str]:
    """Find the rule that denied, and the path it is on; none where none says anything of it."""
    if told.reason in (abi.Reason.SEALED, abi.Reason.OPENED, abi.Reason.NAMED):
        # Which of two paths has the name is not told.
        named = next(itertools.chain.from_iterable(_named(layer, told, path) for path in paths), None)
        if named:
            return named
    if told.reason in (abi.Reason.SEALED, abi.Reason.OPENED, abi.Reason.RULE):
        keys = identity.names_of(bytes(told.object))
        for entry in layer.entries:
            if entry.object in keys and (_denies(told, entry) or (told.reason == abi.Reason.SEALED and entry.sealed)):
                return policy.Location(entry.file, entry.line), entry.path
    return None, ""  # these alone are about what has a rule


def _named(layer: ruleset.Layer, told: abi.Refusal, path: Sequence[bytes]) -> Iterator[tuple[policy.Location, str]]:
    """Give the rules on names that a path has: its last one where that is sealed, else any; names begin at one object."""
    keys, sealed = identity.names_of(bytes(told.object)), told.reason == abi.Reason.SEALED
    ends = range(len(path) if sealed else 1, len(path) + 1) if path else ()
    beginning = [name for name in layer.names if name.parent in keys and (sealed or _denies(told, name))]
    hashes = {made for end in ends for made in names.suffixes(path[:end])} if beginning else ()
    # By their hashes, for the path may be cut, or lead through another mount; the one that is spelt so goes first.
    for name in sorted((name for name in beginning if name.hash in hashes), key=lambda name: not _leads(name.path, path)):
        yield policy.Location(name.file, name.line), name.path
    for tree in layer.trees:
        pattern = layer.patterns[tree.pattern]
        if tree.object in keys and (sealed or _denies(told, pattern)):
            depth = len(_split(tree.path)) if _leads(tree.path, path) else 0
            matches = names.pattern(pattern.text).matches
            if any(matches(path[end - 1]) for end in ends if end > depth):
                yield policy.Location(pattern.file, pattern.line), tree.shown(pattern)


def _denies(told: abi.Refusal, rule: ruleset.Entry | ruleset.Name | ruleset.Pattern) -> bool:
    """Whether a rule denies some of what was refused."""
    refused = action_table.plain(told.refused)
    return bool(ruleset.speaks(rule.denied, rule.commands, told.command if told.ioctl else None) & refused)


def _split(path: str) -> list[bytes]:
    return [part for part in os.fsencode(path).split(b"/") if part]


def _leads(above: str, path: Sequence[bytes]) -> bool:
    """Whether a path begins with another one."""
    start = _split(above)
    return list(path[: len(start)]) == start


def _asked(event: int, arg2: int) -> Iterator[str]:
    """Name what a rule program was asked about."""
    if event == abi.Event.FS:
        yield from (f"FS_{action.name}" for action in abi.ActionFs if action & arg2)
    elif event:
        yield f"{abi.Event(event).name}:cmd={arg2:#x}"


@functools.lru_cache(maxsize=64)
def _record(serial: int) -> record.Record | None:
    return record.read(serial)


def _age(found: engine.Engine) -> tuple[int, int] | None:
    """Tell this loaded engine from one loaded later; None once it is gone."""
    try:
        stat = os.stat(found.pins / "maps" / "denials")
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_ctime_ns
