// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lesson 6: trees that may be read, trees that may be written, and nothing else.
 *
 * Try it:  landlock-bpf run -r policies/rules/fsview.c \
 *              --view trees=ro:/usr:/etc,rw:/tmp:/dev/null:/dev/tty:/dev/pts -- bash -i
 *
 * or, with the variables that the second demonstration of Landlock had in 2017:
 *
 *   export LL_PATH_RO="$HOME:/usr:/etc" LL_PATH_RW="$HOME/Pictures:/tmp:/dev/null:/proc/self/fd/1"
 *   landlock-bpf run -r policies/rules/fsview.c -- bash -i
 *
 * `landlock-bpf update NAME --view ...` moves the trees while programs run.
 */
#include <uapi/linux/bpf.h>
#include <uapi/linux/errno.h>
#include <uapi/linux/stat.h>
#include "bpf_helpers.h"

/*
 * A view of the file system: marks on files and directories, at most 64. A rule says that it has
 * one, user space says what is marked. A mark is for the object and all beneath it, up to a nearer
 * mark.
 */
LANDLOCK_FSVIEW(trees, 64);

#define CHANGES (LANDLOCK_ACTION_FS_WRITE | LANDLOCK_ACTION_FS_NEW | LANDLOCK_ACTION_FS_REMOVE)

SEC("landlock1")
static int landlock_fsview(struct landlock_context *ctx)
{
	void *object = (void *)ctx->arg1;
	long long mode;

	/* The mark of the nearest marked object, from this one upwards; 0 where there is none. */
	switch (bpf_fsview_lookup(&trees, object)) {
	case LANDLOCK_MARK_RW:
		return 0;
	case LANDLOCK_MARK_RO:
		return !!(ctx->arg2 & CHANGES);
	}

	/*
	 * No mark. Pipes, sockets and memory files have no place in any tree, so no view can speak
	 * of them; they were made by this program, or given to it.
	 */
	if (bpf_fsview_beneath(0, &trees, object) == -ENOENT)
		return 0;

	mode = bpf_handle_fs_get_mode(object);
	if (mode < 0)
		return 1;

	/*
	 * The way to the trees. A symbolic link may be followed: one can get only to those that lie
	 * beside the way, as /lib does. A directory may be walked through (EXEC) and stat(2) tells
	 * of it (READ alone), if a marked object is beneath it: that is the reverse question. To
	 * list it one has to open it, which asks about GET, so it cannot be listed.
	 */
	if (S_ISLNK(mode))
		return !!(ctx->arg2 & ~LANDLOCK_ACTION_FS_READ);
	if (S_ISDIR(mode) && bpf_fsview_beneath(LANDLOCK_FLAG_OPT_REVERSE, &trees, object) == 0)
		return !!(ctx->arg2 & ~(LANDLOCK_ACTION_FS_EXEC | LANDLOCK_ACTION_FS_READ));
	return 1;
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
