/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of all directories and mounts at a moment, by the sequences of rename_lock and
 * mount_lock.
 *
 * Nearly all renames are of files, which move no directory. The kernel counts all alike: each
 * adds two to the sequence of rename_lock. So those of files are counted beside it, by a program
 * on __d_move(), which is called once in a section of that lock; tree_seq, the difference, stands
 * still where only files move. What was not counted, as on a kernel where no program can be on
 * __d_move(), is taken for the move of a directory.
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

static __always_inline __u32 moved_files(void)
{
	const volatile struct moves *counted = the_moves();

	return counted ? counted->files : 0;
}

/* For what ends with is_untouched(): nothing may be made of what was found before that. */
static __always_inline void begin_moment(struct epoch *epoch)
{
	epoch->rename_seq = sequence(&rename_lock);
	epoch->mount_seq = sequence(&mount_lock);
}

static __always_inline __u32 tree_seq_of(const struct epoch *epoch)
{
	return epoch->rename_seq - 2 * moved_files();
}

/*
 * For what ends with is_unmoved(). A file that is moved between the two reads makes tree_seq less
 * than is true, and there more: if they are the same, both are true.
 */
static __always_inline void begin_epoch(struct epoch *epoch)
{
	begin_moment(epoch);
	epoch->tree_seq = tree_seq_of(epoch);
}

/* Whether nothing was renamed since; an odd sequence is a change under way. */
static __always_inline _Bool is_untouched(const struct epoch *epoch)
{
	return !(epoch->rename_seq & 1) && epoch->rename_seq == sequence(&rename_lock);
}

/* Whether no directory was renamed since. */
static __always_inline _Bool is_unmoved(const struct epoch *epoch)
{
	__u32 files = moved_files();

	return !(epoch->tree_seq & 1) && epoch->tree_seq == sequence(&rename_lock) - 2 * files;
}

static __always_inline _Bool is_unmounted(const struct epoch *epoch)
{
	return !(epoch->mount_seq & 1) && epoch->mount_seq == sequence(&mount_lock);
}

/* Whether names lie beneath it. The mode alone does not tell: a bad inode has that of a file. */
static __always_inline _Bool has_names(const struct inode *inode)
{
	return S_ISDIR(inode->i_mode) || inode->i_op->lookup;
}

/* Within a section of rename_lock the sequence is odd; what was counted is not counted again. */
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
