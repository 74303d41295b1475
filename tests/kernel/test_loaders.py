# SPDX-License-Identifier: GPL-2.0-only
"""Both loaders of rule programs: what they load, what the verifier refuses at its own line, and BPF_LSM_CGROUP."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import member
import operation
import pytest

from landlock_bpf import abi, bpf, engine, errors, installation, loader, questions, rule_program, ruleset

HEAD = """\
#include <uapi/linux/bpf.h>
#include <uapi/linux/stat.h>
#include <uapi/linux/fcntl.h>
#include "bpf_helpers.h"

SEC("license")
static const char _license[] = "GPL";

SEC("subtype")
static const union bpf_prog_subtype _subtype = { .landlock_rule = { .abi = 1, .event = LANDLOCK_SUBTYPE_EVENT_%s } };

SEC("landlock1")
static int rule(struct landlock_context *ctx)
{
"""
WRITE_LOCK = "\treturn S_ISREG(bpf_handle_fs_get_mode((void *)ctx->arg1)) && ctx->arg2 == F_WRLCK;\n}\n"
# What the verifier refuses, and a part of its reason.
REFUSED = {
    "\t/* An address of one's own. */\n\n\treturn *(const int *)ctx->arg2;\n}\n": "invalid mem access 'scalar'",
    "\tvolatile char few[4] = {};\n\n\tfew[ctx->arg2 & 0xff] = 1;\n\treturn few[0];\n}\n": "stack",
}
both_loaders = pytest.mark.parametrize("name", loader.NAMES)
both_ways = pytest.mark.parametrize("attach", loader.ATTACH_TYPES)


@pytest.fixture
def live() -> Iterator[engine.Engine]:
    """The engine, with the programs that ask about locks, and no domain."""
    with installation.load() as opened:
        installation.load_questions(opened, questions.asked([abi.Event.FS_LOCK]))
        yield opened


def compile_rule(folder: Path, name: str, body: str, event: str = "FS_LOCK") -> rule_program.RuleLayer:
    source = folder / "rule.c"
    source.write_text(HEAD % event + body)
    return rule_program.compile([source], loader.choose(name))


@contextlib.contextmanager
def loaded(name: str, layer: rule_program.RuleLayer, attach: str, live: engine.Engine) -> Iterator[dict[abi.Hook, int]]:
    descriptors = loader.choose(name).load(layer, attach, live)
    try:
        yield descriptors
    finally:
        for fd in descriptors.values():
            os.close(fd)


@both_loaders
@both_ways
def test_a_program_for_each_hook(live: engine.Engine, tmp_path: Path, name: str, attach: str) -> None:
    before = set(bpf.prog_ids())
    with loaded(name, compile_rule(tmp_path, name, WRITE_LOCK), attach, live) as found:
        assert set(found) == {abi.Hook.FILE_LOCK}
        assert len(set(bpf.prog_ids()) - before) == 1


# Of the four pairs two, for bcc takes long in a guest.
@pytest.mark.parametrize(("name", "attach"), list(zip(loader.NAMES, loader.ATTACH_TYPES, strict=True)))
@pytest.mark.parametrize("body", REFUSED, ids=REFUSED.values())
def test_the_verifier_refuses_at_the_line_of_the_rule(
    live: engine.Engine, tmp_path: Path, name: str, attach: str, body: str, capfd: pytest.CaptureFixture[str]
) -> None:
    layer = compile_rule(tmp_path, name, body)
    before = set(bpf.prog_ids())
    with pytest.raises(errors.VerifierError) as caught:
        loader.choose(name).load(layer, attach, live)
    line = HEAD.count("\n") + 3
    assert REFUSED[body] in caught.value.summary
    if (name, REFUSED[body]) == (loader.BCC, "stack"):
        # The verifier's errno is EINVAL here, which makes bcc try again without the lines.
        summary = f"{tmp_path}/rule.c: the verifier refuses this rule: invalid variable-offset write to stack"
        assert caught.value.summary.startswith(summary)
    else:
        assert caught.value.summary.startswith(f"{tmp_path}/rule.c:{line}: the verifier refuses this rule: ")
        assert caught.value.summary.endswith(f"\n    {body.splitlines()[2].strip()}")
    assert caught.value.log.count("\n") > 3
    assert set(bpf.prog_ids()) == before
    assert capfd.readouterr() == ("", "")


@both_loaders
def test_lsm_cgroup_denies_in_the_cgroup_alone(
    live: engine.Engine, tmp_path: Path, name: str, cgroup: Path, inside: member.Member
) -> None:
    place = tmp_path / "file"
    place.touch()
    directory = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with loaded(name, compile_rule(tmp_path, name, WRITE_LOCK), ruleset.LSM_CGROUP, live) as found:
            assert inside.errno(lock, place, fcntl.LOCK_EX) == 0
            link = bpf.link_create(found[abi.Hook.FILE_LOCK], bpf.AttachType.LSM_CGROUP, "file_lock", target=directory)
    finally:
        os.close(directory)
    try:
        assert inside.errno(lock, place, fcntl.LOCK_EX) == errno.EPERM
        assert inside.errno(lock, place, fcntl.LOCK_SH) == 0
        assert inside.errno(lock, tmp_path, fcntl.LOCK_EX) == 0
        lock(place, fcntl.LOCK_EX)
    finally:
        os.close(link)
    assert inside.errno(lock, place, fcntl.LOCK_EX) == 0


def lock(path: Path, kind: int) -> None:
    operation.with_opened(path, os.O_RDONLY, lambda fd: fcntl.flock(fd, kind))
