/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything may be done: asked at one hook alone, it is loaded quickly. */
#include <uapi/linux/bpf.h>
#include "bpf_helpers.h"

SEC("landlock")
static int nothing(struct landlock_context *ctx)
{
	return 0;
}

SEC("subtype")
static const union bpf_prog_subtype _subtype = {
	.landlock_rule = {
		.abi = 1,
		.event = LANDLOCK_EVENT_FS_LOCK,
	},
};

SEC("license")
static const char _license[] = "GPL";
