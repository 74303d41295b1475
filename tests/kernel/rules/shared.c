/* SPDX-License-Identifier: GPL-2.0-only */
/* No shared locks: security_file_lock() is given the type of the lock. */
#include <uapi/linux/bpf.h>
#include <uapi/linux/fcntl.h>
#include "bpf_helpers.h"

SEC("landlock1")
static int decide(struct landlock_context *ctx)
{
	return ctx->arg2 == F_RDLCK;
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
