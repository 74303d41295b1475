// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lesson 1: all is read-only, except terminals, other character devices, and pipes.
 *
 * Try it:  landlock-bpf run -r policies/rules/read-only.c -- bash -i
 *
 * and in that shell `:> a`, `rm a`, `echo hello | cat`, `echo hello >/dev/null`. This is what
 * Landlock was first shown with in 2017.
 */
#include <uapi/linux/bpf.h>
#include <uapi/linux/stat.h> /* S_ISCHR() */
#include "bpf_helpers.h"

/*
 * A rule program is a C function. The kernel asks it before a task under the rule does something to
 * a file; 0 allows that, anything else denies it with EPERM. Nothing that another rule, a policy or
 * the ordinary permissions deny is allowed by it.
 */
SEC("landlock1")
static int landlock_read_only(struct landlock_context *ctx)
{
	long long mode;

	/*
	 * arg2 is what is to be done, as bits. All that is no change is allowed: READ, EXEC (to run
	 * a file, or to walk through a directory), GET (to open a file), IOCTL, LOCK, FCNTL. NEW
	 * and REMOVE speak of a name that comes or goes; its directory is asked about WRITE before,
	 * and that is where they are denied.
	 */
	if (!(ctx->arg2 & LANDLOCK_ACTION_FS_WRITE))
		return 0;

	/*
	 * arg1 stands for the object. A rule cannot look into it; the helper tells its type and its
	 * permissions, as stat(2) does, or a negative errno where there is no object.
	 */
	mode = bpf_handle_fs_get_mode((void *)ctx->arg1);
	if (mode < 0)
		return 1;

	/* What is written there stays in no file. */
	if (S_ISCHR(mode) || S_ISFIFO(mode))
		return 0;
	return 1;
}

/* What the rule is asked about, for the kernel: it comes with the program when that is loaded. */
SEC("subtype")
static const union bpf_prog_subtype _subtype = {
	.landlock_rule = {
		.abi = 1,
		.event = LANDLOCK_SUBTYPE_EVENT_FS,
	},
};

/* The helpers are for programs under the GPL alone. */
SEC("license")
static const char _license[] = "GPL";
