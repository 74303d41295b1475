# SPDX-License-Identifier: GPL-2.0-only
"""Events: denials as the engine reports them, with the rule's file and line from our records, read by one reader at a time."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import datetime
import errno as errnos
import functools
import json
import os
import time
from collections.abc import Iterator

from landlock_bpf import abi, engine, errors, hooks, names, policy, questions, record, ringbuf, ruleset, terminal

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
    on; without one, `policy_name` tells whose silence it was. A path that was too long begins with `...`.

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
    path = path_of(raw.path)
    rule, rule_path = _rule(layer, told, path) if layer else (None, "")
    function = ""
    if told.reason == abi.Reason.PROGRAM and layer and layer.programs and told.rule < len(layer.programs.rules):
        program = layer.programs.rules[told.rule]
        rule, function = policy.Location(program.file, program.line), program.function
    return Denial(
        time.time() + (raw.time - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) / 1e9,
        known.domain if known else f"#{told.domain}",
        told.layer,
        layer.policy if layer else "",
        abi.Action(0) if told.event else hooks.plain(told.refused),
        abi.Hook(told.hook).name.lower(),
        errnos.errorcode.get(-told.error, str(-told.error)),
        raw.pid,
        raw.tid,
        raw.uid,
        raw.comm.decode(errors="replace"),
        path,
        path_of(raw.second) if raw.second.bytes else "",
        abi.Reason(told.reason).name.lower(),
        rule,
        rule_path,
        function,
        abi.Event(told.event).name if told.event else "",
        tuple(_asked(told.event, told.refused)),
        bool(told.event) and told.hook in _MOUNTLESS,
        WOULD_BE_DENIED if told.permissive else DENIED,
        raw.dropped,
    )


def path_of(told: abi.Names) -> str:
    """Put a path together from its names, which come from the object up to the root; what is no text becomes escapes."""
    # The attribute `text` would end at the first 0.
    start = abi.Names.text.offset
    parts = bytes(told)[start : start + told.bytes].split(b"\0")[:-1]
    return (
        ("..." if told.truncated else "")
        + "/"
        + "/".join(terminal.shown(name.decode(errors="backslashreplace")) for name in reversed(parts))
    )


def format_text(denial: Denial) -> str:
    """Write a denial as one line for people."""
    when = datetime.datetime.fromtimestamp(denial.time).isoformat(" ", "milliseconds")
    where = f"{denial.path} -> {denial.path2}" if denial.path2 else denial.path
    if denial.mountless:
        where = f"fs:{where}"
    what = ",".join(hooks.names(denial.action) or denial.asked) or denial.hook
    why = REASONS[abi.Reason[denial.reason.upper()]]
    if denial.rule:
        why += f": {denial.rule}" + (f" {denial.function}()" if denial.function else "")
    elif denial.policy_name:
        why += f" (policy {denial.policy_name})"
    who = f"pid={denial.pid} comm={denial.comm!r} uid={denial.uid}"
    line = (
        f"{when} {denial.verdict.upper()} {denial.error} {what} {where} {who} hook={denial.hook} domain={denial.domain} {why}"
    )
    return terminal.shown(line)


def format_dropped(name: str, count: int) -> str:
    """Say how many denials were not reported."""
    return terminal.shown(f"{count} denials of the domain {name} were not reported: too many, or nobody read them")


def format_json(denial: Denial) -> str:
    """Write a denial as one line of JSON."""
    told = dataclasses.asdict(denial)
    told["action"] = hooks.names(denial.action)
    return json.dumps(told)


def _rule(layer: ruleset.Layer, told: abi.Refusal, path: str) -> tuple[policy.Location | None, str]:
    """Find the rule that denied, and the path it is on; none where none says anything of it."""
    sealed = told.reason == abi.Reason.SEALED
    if not sealed and told.reason not in (abi.Reason.RULE, abi.Reason.OPENED, abi.Reason.NAMED):
        return None, ""  # these alone are about what has a rule
    keys, refused = _keys(told.object), hooks.plain(told.refused)
    for entry in layer.entries if told.reason != abi.Reason.NAMED else ():
        if entry.object in keys and (entry.denied & refused or (sealed and entry.sealed)):
            return policy.Location(entry.file, entry.line), entry.path
    # Several names may begin at one object: the one that the path has.
    for name in layer.names:
        if name.parent in keys and (name.denied & refused or sealed) and f"{path}/".startswith(f"{name.path}/"):
            return policy.Location(name.file, name.line), name.path
    parts = [os.fsencode(part) for part in path.split("/")]
    for tree in layer.trees:
        pattern = layer.patterns[tree.pattern]
        meant = names.pattern(pattern.text).matches
        if tree.object in keys and (pattern.denied & refused or sealed) and any(map(meant, parts)):
            return policy.Location(pattern.file, pattern.line), f"{tree.path}/**/{pattern.text}"
    return None, ""


def _keys(seen: abi.Object) -> tuple[bytes, ...]:
    """Give the names that a rule may have for an object: as it was reached and, if that was through overlayfs, its own."""
    plain = abi.Object.from_buffer_copy(seen)
    plain.subvol &= ~(1 << abi.Subvol.OVERLAY)
    return bytes(seen), bytes(plain)


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
