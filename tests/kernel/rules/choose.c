/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Deny the one question that the asking process has chosen: its real uid is the event and
 * the mode of what is asked about, its real gid arg2. A uid of 0 chooses none.
 */
#include <uapi/linux/bpf.h>
#include "bpf_helpers.h"

#define EVENT_SHIFT 20
#define NO_MODE	    (1 << 16)

static inline __attribute__((always_inline)) int is_chosen(struct landlock_context *ctx)
{
	long long mode = bpf_handle_fs_get_mode((void *)ctx->arg1);
	__u64 ids = bpf_get_current_uid_gid();
	__u64 seen = mode;

	if (mode < 0)
		seen = NO_MODE | -mode;
	if (!(__u32)ids)
		return 0;
	return (__u32)ids == (ctx->event << EVENT_SHIFT | seen) && ids >> 32 == ctx->arg2;
}

SEC("landlock1")
static int choose_fs(struct landlock_context *ctx)
{
	return is_chosen(ctx);
}

SEC("landlock2")
static int choose_ioctl(struct landlock_context *ctx)
{
	return is_chosen(ctx);
}

SEC("landlock3")
static int choose_lock(struct landlock_context *ctx)
{
	return is_chosen(ctx);
}

SEC("landlock4")
static int choose_fcntl(struct landlock_context *ctx)
{
	return is_chosen(ctx);
}

SEC("subtype/landlock1")
static const union bpf_prog_subtype fs = {
	.landlock_rule = {
		.abi = 1,
		.event = LANDLOCK_SUBTYPE_EVENT_FS,
		.ability = LANDLOCK_SUBTYPE_ABILITY_DEBUG,
	},
};

SEC("subtype/landlock2")
static const union bpf_prog_subtype ioctl = {
	.landlock_rule = {
		.abi = 1,
		.event = LANDLOCK_SUBTYPE_EVENT_FS_IOCTL,
		.ability = LANDLOCK_SUBTYPE_ABILITY_DEBUG,
	},
};

SEC("subtype/landlock3")
static const union bpf_prog_subtype lock = {
	.landlock_rule = {
		.abi = 1,
		.event = LANDLOCK_SUBTYPE_EVENT_FS_LOCK,
		.ability = LANDLOCK_SUBTYPE_ABILITY_DEBUG,
	},
};

SEC("subtype/landlock4")
static const union bpf_prog_subtype fcntl = {
	.landlock_rule = {
		.abi = 1,
		.event = LANDLOCK_SUBTYPE_EVENT_FS_FCNTL,
		.ability = LANDLOCK_SUBTYPE_ABILITY_DEBUG,
	},
};

SEC("license")
static const char license[] = "GPL";
