/* SPDX-License-Identifier: GPL-2.0-only */
/* Nothing may be opened or received. */
#include <uapi/linux/bpf.h>
#include "bpf_helpers.h"

SEC("landlock")
static int no_open(struct landlock_context *ctx)
{
	return !!(ctx->arg2 & LANDLOCK_ACTION_FS_GET);
}

SEC("subtype")
static const union bpf_prog_subtype _subtype = {
	.landlock_rule = {
		.abi = 1,
		.event = LANDLOCK_EVENT_FS,
	},
};

SEC("license")
static const char _license[] = "GPL";
