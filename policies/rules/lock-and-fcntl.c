// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lesson 5: nobody is kept waiting. Locks are shared ones, and fcntl(2) gives no leases.
 *
 * Try it:  landlock-bpf run -r policies/rules/lock-and-fcntl.c -- flock -x /tmp true
 *          landlock-bpf run -r policies/rules/lock-and-fcntl.c -- flock -s /tmp true
 *
 * Who can read a file can lock it, and so make others wait for ever; a lease delays who opens it.
 *
 * Two rule programs in one source: each in a section of its own, with a subtype of its own.
 */
#include <uapi/linux/bpf.h>
#include <uapi/linux/fcntl.h>
#include "bpf_helpers.h"

/*
 * Of a lock the kernel tells its type, F_RDLCK, F_WRLCK or F_UNLCK: for flock(2) too, whose
 * LOCK_SH, LOCK_EX and LOCK_UN it has turned into these.
 */
SEC("landlock1")
static int landlock_shared_locks(struct landlock_context *ctx)
{
	return ctx->arg2 == F_WRLCK;
}

SEC("subtype/landlock1")
static const union bpf_prog_subtype _subtype_lock = {
	.landlock_rule = {
		.abi = 1,
		.event = LANDLOCK_SUBTYPE_EVENT_FS_LOCK,
	},
};

/*
 * Of fcntl(2) the kernel tells the command, not its argument: O_APPEND cannot be told from
 * O_NONBLOCK here, nor a lease from its end. Denied besides leases is what has signals sent, to
 * others too.
 */
SEC("landlock2")
static int landlock_no_leases(struct landlock_context *ctx)
{
	switch (ctx->arg2) {
	case F_SETOWN:
	case F_SETSIG:
	case F_SETOWN_EX:
	case F_SETLEASE:
	case F_NOTIFY:
		return 1;
	}
	return 0;
}

SEC("subtype/landlock2")
static const union bpf_prog_subtype _subtype_fcntl = {
	.landlock_rule = {
		.abi = 1,
		.event = LANDLOCK_SUBTYPE_EVENT_FS_FCNTL,
	},
};

SEC("license")
static const char _license[] = "GPL";
