/* SPDX-License-Identifier: GPL-2.0-only */
/* Nothing may be changed but by character devices and named pipes: the sample of 2017, in our own
 * words. */
#include <uapi/linux/bpf.h>
#include <uapi/linux/stat.h>
#include "bpf_helpers.h"

SEC("landlock1")
static int read_only(struct landlock_context *ctx)
{
	char unknown[] = "read_only: mode: %lld\n";
	char denied[] = "read_only: denied\n";
	long long mode;

	if (!(ctx->arg2 & LANDLOCK_ACTION_FS_WRITE))
		return 0;
	mode = bpf_handle_fs_get_mode((void *)ctx->arg1);
	if (mode < 0) {
		bpf_trace_printk(unknown, sizeof(unknown), mode);
		return 1;
	}
	if (S_ISCHR(mode) || S_ISFIFO(mode))
		return 0;
	bpf_trace_printk(denied, sizeof(denied));
	return 1;
}

SEC("subtype")
static const union bpf_prog_subtype _subtype = {
	.landlock_rule = {
		.abi = 1,
		.event = LANDLOCK_SUBTYPE_EVENT_FS,
		.ability = LANDLOCK_SUBTYPE_ABILITY_DEBUG,
	},
};

SEC("license")
static const char _license[] = "GPL";
