/* SPDX-License-Identifier: GPL-2.0-only */
/* Two rules that deny every lock, of which the newer one is asked first. */
#include <uapi/linux/bpf.h>
#include "bpf_helpers.h"

SEC("landlock1")
static int older(struct landlock_context *ctx)
{
	return 1;
}

SEC("landlock2")
static int newer(struct landlock_context *ctx)
{
	return 1;
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
