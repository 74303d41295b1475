/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Open files judged: those of others by which a ruleset, in force or not, is got round, for rights
 * are fixed at open.
 *
 * Nothing is decided here, and nobody is asked but the kernel: a server of FUSE may never answer.
 */
#ifndef LANDLOCK_BPF_JUDGE_H
#define LANDLOCK_BPF_JUDGE_H

#include "file.h"

/*
 * Print struct judged of each file of the iterated tasks to which what it was asked for when it was
 * opened is refused: by a rule, or as it cannot be decided. What is merely allowed nowhere passes.
 */
static __always_inline int judge_file(struct bpf_iter__task_file *context)
{
	struct seq_file *seq = context->meta->seq;
	struct file *file = context->file;
	struct judging *told;
	struct ruleset *ruleset;
	struct inode *inode;
	struct mount *mount;
	struct walk *walk;
	__u32 zero = 0;

	told = bpf_map_lookup_elem(&judging, &zero);
	if (!file || !told || file->f_mode & FMODE_PATH)
		return 0;
	inode = file->f_inode;
	mount = real_mount(file->f_path.mnt);
	if (!inode || !is_ruled(inode->i_sb, inode) || is_private_mount(mount))
		return 0;
	ruleset = see_index(&told->room.sight, told->ruleset);
	if (!ruleset || !ruleset->layers)
		return 0;
	walk = &told->room.walks[0];
	walk->decision.skip = told->skip;
	walk_from(walk, &told->room.sight, (__u64)mount, (__u64)file->f_path.dentry,
		  asked_at_open(file, inode) | kept_at_open(file, inode->i_mode));
	walk->decision.skip = 0;
	/* A rule, and what cannot be decided, refuses before the default does. */
	if (!walk->decision.denied || walk->decision.reason == REASON_NO_RULE)
		return 0;
	told->answer.fd = context->fd;
	name_path(&told->answer.path, (__u64)mount, (__u64)file->f_path.dentry);
	bpf_seq_write(seq, &told->answer, sizeof(told->answer));
	return 0;
}

#endif
