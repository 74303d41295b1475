# SPDX-License-Identifier: GPL-2.0-only
"""Sources of rule programs: those in the tree, one of v7, and those that tests write."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
SHIPPED = sorted([*(ROOT / "policies" / "rules").glob("*.c"), *(ROOT / "tests" / "kernel" / "rules").glob("*.c")])
BEFORE = '#include <uapi/linux/bpf.h>\n#include "bpf_helpers.h"\n'
AFTER = 'SEC("license") static const char _license[] = "GPL";\n'


def source(body: str, *, before: str = "", subtype: str = ".abi = 1, .event = LANDLOCK_SUBTYPE_EVENT_FS") -> str:
    """Write a rule whose body begins on line 5 + the lines of `before`."""
    return (
        f"{BEFORE}{before}"
        f'SEC("landlock1") static int rule(struct landlock_context *ctx)\n{{\n{body}\n}}\n'
        f'SEC("subtype") static const union bpf_prog_subtype _subtype = {{ .landlock_rule = {{ {subtype} }} }};\n{AFTER}'
    )


V7 = """\
/*
 * A rule as Landlock's patch series v7 had one in samples/bpf.
 */
#define KBUILD_MODNAME "foo"
#include <uapi/linux/bpf.h>
#include <uapi/linux/stat.h> /* S_ISCHR() */
#include "bpf_helpers.h"

SEC("landlock1")
static int landlock_fs_prog1(struct landlock_context *ctx)
{
	char fmt_error_mode[] = "landlock1: error: get_mode:%lld\\n";
	char fmt_error_access[] = "landlock1: error: access denied\\n";
	long long ret;

	if (!(ctx->arg2 & LANDLOCK_ACTION_FS_WRITE))
		return 0;

	ret = bpf_handle_fs_get_mode((void *)ctx->arg1);
	if (ret < 0) {
		bpf_trace_printk(fmt_error_mode, sizeof(fmt_error_mode), ret);
		return 1;
	}
	if (S_ISCHR(ret))
		return 0;
	if (S_ISFIFO(ret))
		return 0;
	bpf_trace_printk(fmt_error_access, sizeof(fmt_error_access));
	return 1;
}

SEC("subtype")
static const union bpf_prog_subtype _subtype = {
	.landlock_rule = {
		.abi = 1,
		.event = LANDLOCK_SUBTYPE_EVENT_FS,
		.ability = LANDLOCK_SUBTYPE_ABILITY_DEBUG,
	}
};

SEC("license")
static const char _license[] = "GPL";
"""
