/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why: what a ruleset, in force or not, says of the objects behind our own descriptors.
 *
 * Nothing is decided here: the functions are those that hooks call.
 */
#ifndef LANDLOCK_BPF_EXPLAIN_H
#define LANDLOCK_BPF_EXPLAIN_H

#include "file.h"
#include "refer.h"

/* What the ruleset says of the object itself, and in which layers it is sealed. */
static __always_inline int explain_object(struct explaining *told)
{
	struct inode *inode = CAST(struct dentry, told->dentry)->d_inode;
	struct walk *walk = &told->room.walks[0];
	struct rule *rule, *beneath;

	told->answer.sealed = seal_of(&told->room, &told->room.sight, told->mount, told->dentry,
				      TOUCH_REMOVED, 0);
	if (!inode)
		return 0;
	rule = rule_of(walk, told->room.sight.index, inode, inode->i_sb, &beneath);
	if (rule)
		told->answer.rule = *rule;
	if (beneath)
		told->answer.beneath = *beneath;
	return 0;
}

/*
 * What an ioctl command is asked of an object: see on_file_ioctl(), and on_file_open() for what
 * is fixed before it.
 */
static __always_inline __u64 command_actions(__u32 index, __u32 command, umode_t mode)
{
	__u64 asked = meant_by(command) | ioctl_action(index, command);

	if ((S_ISCHR(mode) || S_ISBLK(mode)) && !is_harmless_ioctl(command))
		asked |= MASK(ACTION_IOCTL_DEV);
	return asked;
}

/* What the walk up from an object decides; layers that user space leaves out are not asked. */
static __always_inline int explain_walk(struct explaining *told)
{
	struct walk *walk = &told->room.walks[0];
	struct explained *answer = &told->answer;

	answer->asked = told->asked;
	if (told->ioctl) {
		answer->asked |=
			command_actions(told->room.sight.index, told->command, answer->mode);
		answer->escapes = types_for_others(told->command);
	}
	walk->decision.skip = told->skip;
	walk_from(walk, &told->room.sight, told->mount, told->dentry, answer->asked);
	walk->decision.skip = 0;
	for_each_layer(layer, walk->decision.layers)
		answer->refused[layer] = walk->decision.refused[layer];
	answer->decided = walk->decision.object;
	answer->reason = walk->decision.reason;
	answer->denied = walk->decision.denied;
	answer->end = walk->end;
	answer->trees = walk->gathered;
	return 0;
}

/* Whether what the descriptor `source` stands for would gain a right where `target` is. */
static __always_inline void explain_gain(struct explaining *told, const struct inode *inode)
{
	struct decision *decision = &told->room.walks[0].decision;

	if (told->answer.fd == told->source) {
		told->moved = *decision;
		told->gainable = gainable(inode);
	}
	if (told->answer.fd == told->target)
		told->answer.gains =
			decide_gain(&told->moved, decision, told->gainable, told->skip);
}

/* Print struct explained of each descriptor of the iterated task that is in a tree. */
static __always_inline int explain_file(struct bpf_iter__task_file *context)
{
	struct seq_file *seq = context->meta->seq;
	struct file *file = context->file;
	struct explaining *told;
	struct ruleset *ruleset;
	struct inode *inode;
	__u32 zero = 0;

	told = bpf_map_lookup_elem(&explaining, &zero);
	if (!file || !told)
		return 0;
	inode = file->f_inode;
	if (!inode || !is_ruled(inode->i_sb, inode) ||
	    is_private_mount(real_mount(file->f_path.mnt)))
		return 0;
	ruleset = see_index(&told->room.sight, told->ruleset);
	if (!ruleset || !ruleset->layers)
		return 0;
	told->room.sight.domain = 0;
	told->mount = (__u64)real_mount(file->f_path.mnt);
	told->dentry = (__u64)file->f_path.dentry;
	told->answer = (struct explained){};
	told->answer.fd = context->fd;
	told->answer.mode = inode->i_mode;
	name_object(&told->answer.object, inode, inode->i_sb);
	explain_object(told);
	explain_walk(told);
	explain_gain(told, inode);
	bpf_seq_write(seq, &told->answer, sizeof(told->answer));
	return 0;
}

#endif
