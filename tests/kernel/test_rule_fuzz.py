# SPDX-License-Identifier: GPL-2.0-only
"""Rule programs made at random: each is put in force or refused in words, and what was refused leaves nothing behind."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import deadline
import pytest
import rule

from landlock_bpf import bpf, controller, engine, errors

SOURCE = """\
#include <uapi/linux/bpf.h>
#include <uapi/linux/stat.h>
#include "bpf_helpers.h"
LANDLOCK_FSVIEW(trees, 4);
SEC("landlock1") static int made(struct landlock_context *ctx)
{
	unsigned long long a = ctx->arg2, b = ctx->event, c = 3;
	char text[] = "x";

@BODY@
	return @RESULT@;
}
SEC("subtype") static const union bpf_prog_subtype subtype = {
	.landlock_rule = { .abi = @ABI@, .event = @EVENT@, .ability = @ABILITY@, .option = @OPTION@ },
};
SEC("license") static const char license[] = "GPL";
"""
VALUES = ("a", "b", "c", "ctx->status", "ctx->arg1", "0", "1", "-1", "0x80000000", "sizeof(text)", "text[0]")
CALLS = (
    "bpf_handle_fs_get_mode((void *)ctx->arg1)",
    "bpf_handle_fs_get_mode((void *)@V@)",
    "bpf_fsview_lookup(&trees, (void *)ctx->arg1)",
    "bpf_fsview_beneath(@V@, &trees, (void *)@V@)",
    "bpf_get_current_pid_tgid()",
    "bpf_trace_printk(text, sizeof(text))",
    "bpf_ktime_get_ns()",
    "*(volatile unsigned long long *)@V@",
    "*(volatile unsigned long long *)((char *)ctx + @V@)",
    "text[@V@]",
)
STATEMENTS = (
    "\t@N@ = @V@;",
    "\t@N@ += @V@ * @V@;",
    "\t@N@ = @V@ / @V@;",
    "\t@N@ <<= @V@;",
    "\t@N@ = @C@;",
    "\tif (@V@ > @V@)\n\t\t@N@ = @C@;",
    "\tfor (int i = 0; i < @V@; i++)\n\t\t@N@ ^= i;",
    "\twhile (@V@)\n\t\t@N@ = @C@;",
    "\ttext[@V@] = @V@;",
    "\tgoto end;",
)
COUNT = 12  # some seconds each, in a guest


def make(chance: random.Random) -> str:
    """Write a rule, of an event whose rules are asked at few hooks."""

    def fill(text: str) -> str:
        while "@C@" in text:
            text = text.replace("@C@", chance.choice(CALLS), 1)
        for mark, choices in (("@V@", VALUES), ("@N@", ("a", "b", "c"))):
            while mark in text:
                text = text.replace(mark, chance.choice(choices), 1)
        return text

    body = [fill(chance.choice(STATEMENTS)) for _ in range(chance.randint(1, 5))]
    if any("goto end" in line for line in body):
        body.append("end:;")
    said = {
        "BODY": "\n".join(body),
        "RESULT": fill(chance.choice(("@V@", "@C@"))),
        "ABI": chance.choice("1111112"),
        "EVENT": chance.choice("33334445"),
        "ABILITY": chance.choice("0011112"),
        "OPTION": chance.choice("00000001"),
    }
    return write(said)


def write(said: dict[str, str]) -> str:
    text = SOURCE
    for key, value in said.items():
        text = text.replace(f"@{key}@", value)
    return text


@pytest.mark.parametrize("loader", rule.LOADERS)
def test_made_at_random(loader: str, tree: Path, cgroup: Path, live: controller.Controller) -> None:
    chance = random.Random(f"rules of 2017 {loader}")
    numbers = itertools.count()
    for event in "34":  # what the first ones bring stays
        path = tree / f"first{event}.c"
        path.write_text(write({"BODY": "", "RESULT": "0", "ABI": "1", "EVENT": event, "ABILITY": "0", "OPTION": "0"}))
        live.attach("first", [], cgroup, rules=rule.programs(path, loader=loader))
        live.detach("first")
    before = state()
    ends = set()
    for number in itertools.islice(numbers, COUNT):
        path = tree / f"made{number}.c"
        path.write_text(make(chance))
        try:
            live.attach("made", [], cgroup, rules=rule.programs(path, loader=loader))
        except (errors.PolicyError, errors.CompileError, errors.VerifierError) as error:
            assert str(path) in str(error), path.read_text()
            ends.add(type(error))
        else:
            live.detach("made")
            ends.add(None)
        # What the first ones had may have been there yet, for the kernel frees late.
        deadline.until(lambda: not any(map(set.difference, state(), before)), f"nothing is left\n{path.read_text()}")
    assert {None, errors.PolicyError} <= ends, "chance was one-sided"


def state() -> tuple[set[int] | set[str], ...]:
    """Say what is loaded and attached."""
    found = engine.find()
    assert found
    with found:
        return set(bpf.prog_ids()), set(bpf.map_ids()), set(bpf.link_ids()), found.attached()
