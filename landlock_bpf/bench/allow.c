// SPDX-License-Identifier: GPL-2.0-only
/* The rule program of `landlock-bpf bench`: looks at each object that is to be changed, and allows
 * all. */
#include <uapi/linux/bpf.h>
#include "bpf_helpers.h"

SEC("landlock1")
static int landlock_allow(struct landlock_context *ctx)
{
	if (!(ctx->arg2 & LANDLOCK_ACTION_FS_WRITE))
		return 0;
	return bpf_handle_fs_get_mode((void *)ctx->arg1) < 0;
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
