// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lesson 2: no file is opened any more, and none received from another process.
 *
 * Try it:  mkdir /sys/fs/cgroup/closed
 *          cd policies/rules
 *          landlock-bpf attach -r no-open.c --cgroup /sys/fs/cgroup/closed --name closed
 *          sh -c 'echo $$ >/sys/fs/cgroup/closed/cgroup.procs; echo still here; cat no-open.c'
 *
 * It is for a program that has all it needs: it goes on reading and writing what it has open. With
 * `run` there would be no command to see, for a program is opened to be executed.
 */
#include <uapi/linux/bpf.h>
#include "bpf_helpers.h"

/*
 * One open(2) asks several questions, and a rule sees them all. With O_RDONLY of /etc/hostname:
 *
 *   EXEC        of /, then of /etc: may it be walked through?
 *   READ | GET  of the file's inode: may it be opened for this?
 *   GET         of the file, once it is open
 *
 * With O_CREAT the directory is asked about WRITE and the name about NEW before the GET, so that a
 * denied open leaves an empty file behind.
 *
 * So a rule need not know of open(2), openat(2), creat(2), execve(2) or of system calls that come
 * later: all ask about GET.
 */
SEC("landlock1")
static int landlock_no_open(struct landlock_context *ctx)
{
	return !!(ctx->arg2 & LANDLOCK_ACTION_FS_GET);
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
