/* SPDX-License-Identifier: GPL-2.0-only */
/* Nothing may be done with any file. */
#include <uapi/linux/bpf.h>
#include "bpf_helpers.h"

SEC("landlock1")
static int decide(struct landlock_context *ctx)
{
	return 1;
}

SEC("subtype")
static const union bpf_prog_subtype _subtype = {
	.landlock_rule = {
		.abi = 1,
		.event = LANDLOCK_SUBTYPE_EVENT_FS,
	},
};

SEC("license")
static const char _license[] = "GPL";
