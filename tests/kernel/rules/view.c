/* SPDX-License-Identifier: GPL-2.0-only */
/* No locks but on what is marked to be written. */
#include <uapi/linux/bpf.h>
#include "bpf_helpers.h"

LANDLOCK_FSVIEW(trees, 4);

SEC("landlock1")
static int decide(struct landlock_context *ctx)
{
	return bpf_fsview_lookup(&trees, (void *)ctx->arg1) != LANDLOCK_MARK_RW;
}

SEC("subtype")
static const union bpf_prog_subtype _subtype = {
	.landlock_rule = {
		.abi = 1,
		.event = LANDLOCK_SUBTYPE_EVENT_FS_LOCK,
	},
};

SEC("license")
static const char _license[] = "GPL";
