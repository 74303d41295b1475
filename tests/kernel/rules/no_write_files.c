/* SPDX-License-Identifier: GPL-2.0-only */
/* No file may be changed; directories may. */
#include <uapi/linux/bpf.h>
#include <uapi/linux/stat.h>
#include "bpf_helpers.h"

SEC("landlock1")
static int decide(struct landlock_context *ctx)
{
	long long mode;

	if (!(ctx->arg2 & LANDLOCK_ACTION_FS_WRITE))
		return 0;
	mode = bpf_handle_fs_get_mode((void *)ctx->arg1);
	return mode >= 0 && S_ISREG(mode);
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
