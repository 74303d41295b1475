# SPDX-License-Identifier: GPL-2.0-only
"""The verifier's words: its reason, and the line of the source that it was at."""

from __future__ import annotations

from landlock_bpf import verifier

LOG = """\
arg#0 reference type('UNKNOWN ') size cannot be determined: -22
0: R1=ctx() R10=fp0
; LANDLOCK_PROGRAM(file_lock)(void *ctx) @ rule-53c9e2ad46ae2069.bpf.c:76
0: (bf) r6 = r1                       ; R1=ctx() R6_w=ctx()
; few[ctx->arg2 & 0xff] = 1; @ rule.c:3
44: (57) r2 &= 255                    ; frame1: R2_w=scalar(smin=smin32=0,smax=umax=smax32=umax32=255)
;  @ rule-53c9e2ad46ae2069.bpf.c:0
46: (07) r1 += -4                     ; frame1: R1_w=fp-4
; volatile char few[4] = {}; @ rule.c:2
50: (b4) w0 = 1                       ; frame1: R0_w=1
; few[ctx->arg2 & 0xff] = 1; @ rule.c:3
51: (73) *(u8 *)(r1 +0) = r0
invalid variable-offset write to stack R1 var_off=(0x0; 0xff) off=-4 size=1
processed 36 insns (limit 1000000) max_states_per_insn 0 total_states 2 peak_states 2 mark_read 1
"""
# What 7.3 says between the reason and the statistics.
REPORT = """
Verification failed: Register Type Safety: Invalid dereference

Reason:
  R1 is an integer scalar here, not a pointer to memory.

At:
  rule @ rule.c:3:61

Suggestion:
  Preserve a pointer-valued register where needed.

"""
SOURCE = "{\n\tvolatile char few[4] = {};\n\tfew[ctx->arg2 & 0xff] = 1;\n}\n"


def test_the_reason_is_what_comes_before_the_statistics() -> None:
    assert verifier.reason(LOG) == "invalid variable-offset write to stack R1 var_off=(0x0; 0xff) off=-4 size=1"
    assert verifier.reason("\n") == "no reason given"


def test_the_reason_is_what_comes_before_the_report() -> None:
    refused, statistics = LOG.rsplit("\n", 2)[0], "processed 36 insns\n"
    assert verifier.reason(refused + "\n" + REPORT + statistics) == verifier.reason(LOG)
    assert verifier.place(refused + "\n" + REPORT + statistics, {"rule.c": SOURCE}) == verifier.place(LOG, {"rule.c": SOURCE})


def test_the_last_line_of_a_source() -> None:
    assert verifier.place(LOG, {"/a/rule.c": SOURCE}) == ("/a/rule.c", 3)
    assert verifier.place(LOG, {"/a/other.c": SOURCE}) is None
    # A line that the file has not is not its.
    assert verifier.place(LOG, {"/a/rule.c": "\n"}) is None


def test_files_of_one_name_are_told_apart_by_the_text() -> None:
    other = "{\n\tint other;\n\treturn 0;\n}\n"
    assert verifier.place(LOG, {"/a/rule.c": other, "/b/rule.c": SOURCE}) == ("/b/rule.c", 3)
    assert verifier.place(LOG, {"/b/rule.c": SOURCE, "/a/rule.c": other}) == ("/b/rule.c", 3)


def test_a_refusal_says_where_and_why_and_keeps_the_log() -> None:
    error = verifier.refusal(LOG, "this rule", {"/a/rule.c": SOURCE})
    assert error.log == LOG
    assert str(error) == (
        "/a/rule.c:3: the verifier refuses this rule: "
        "invalid variable-offset write to stack R1 var_off=(0x0; 0xff) off=-4 size=1\n    few[ctx->arg2 & 0xff] = 1;"
    )
    unknown = str(verifier.refusal(LOG, "this rule", {"/a/rule.c": ""}))
    assert unknown.startswith("/a/rule.c: the verifier refuses this rule: invalid")
