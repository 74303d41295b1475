/* SPDX-License-Identifier: GPL-2.0-only */
/* Allow all, and have two views, for what the engine finds of them. */
#include <uapi/linux/bpf.h>
#include "bpf_helpers.h"

LANDLOCK_FSVIEW(first, 8);
LANDLOCK_FSVIEW(second, 8);

SEC("landlock1")
static int allow(struct landlock_context *ctx)
{
	/* So that neither view is without use. */
	return bpf_fsview_lookup(&first, (void *)ctx->arg1) == 99 ||
	       bpf_fsview_lookup(&second, (void *)ctx->arg1) == 99;
}

SEC("subtype")
static const union bpf_prog_subtype subtype = {
	.landlock_rule = {
		.abi = 1,
		.event = LANDLOCK_SUBTYPE_EVENT_FS,
	},
};

SEC("license")
static const char license[] = "GPL";
