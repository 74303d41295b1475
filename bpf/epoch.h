/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of all directories and mounts at a moment, by the sequences of rename_lock and
 * mount_lock.
 *
 * Nearly all renames are of files, which move no directory. The kernel counts all alike, so
 * those of files are counted beside it, by a program on __d_move(). All its callers hold
 * rename_lock, and each adds two to the sequence; so that stands still where only files move:
 * tree_seq. A move that was not counted, on a kernel where no program can be on __d_move(),
 * counts as that of a directory.
 */
#ifndef LANDLOCK_BPF_EPOCH_H
#define LANDLOCK_BPF_EPOCH_H

#include "maps.h"

/* The one entry of moves. */
static __always_inline struct moves *the_moves(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&moves, &zero);
}

/*
 * What comes between the two reads makes tree_seq smaller than it ever was, and in is_unmoved()
 * greater: that they are the same tells that both are true.
 */
static __always_inline void begin_epoch(struct epoch *epoch)
{
	const volatile struct moves *counted = the_moves();

	epoch->rename_seq = sequence(&rename_lock);
	epoch->tree_seq = epoch->rename_seq - (counted ? 2 * counted->files : 0);
	epoch->mount_seq = sequence(&mount_lock);
}

/* Whether nothing was renamed since; an odd sequence is a change under way. */
static __always_inline _Bool is_untouched(const struct epoch *epoch)
{
	return !(epoch->rename_seq & 1) && epoch->rename_seq == sequence(&rename_lock);
}

/* Whether no directory was renamed since. */
static __always_inline _Bool is_unmoved(const struct epoch *epoch)
{
	const volatile struct moves *counted = the_moves();
	__u32 files = counted ? counted->files : 0;

	return !(epoch->tree_seq & 1) && epoch->tree_seq == sequence(&rename_lock) - 2 * files;
}

static __always_inline _Bool is_unmounted(const struct epoch *epoch)
{
	return !(epoch->mount_seq & 1) && epoch->mount_seq == sequence(&mount_lock);
}

/* Whether names lie beneath it. The mode alone does not tell: an inode gone bad has that of a file.
 */
static __always_inline _Bool has_names(const struct inode *inode)
{
	return S_ISDIR(inode->i_mode) || inode->i_op->lookup;
}

/* Within rename_lock, so one at a time: the sequence is odd, and is that of one move. */
static __always_inline int on___d_move(struct dentry *dentry, struct dentry *target, _Bool exchange)
{
	struct inode *inode = dentry->d_inode, *replaced = target->d_inode;
	__u32 rename_seq = sequence(&rename_lock);
	struct moves *counted = the_moves();

	if (!counted || !(rename_seq & 1) || counted->rename_seq == rename_seq)
		return 0;
	if (!inode || has_names(inode))
		return 0;
	if (replaced && has_names(replaced))
		return 0;
	counted->rename_seq = rename_seq;
	counted->files++;
	return 0;
}

#endif
