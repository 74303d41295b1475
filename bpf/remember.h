/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walks remembered: what is refused beneath a directory, kept for a task until
 * anything is renamed or mounted.
 */
#ifndef LANDLOCK_BPF_REMEMBER_H
#define LANDLOCK_BPF_REMEMBER_H

#include "walk.h"

/* Where a task remembers the walk up from a directory under a ruleset. */
static __always_inline struct walked *walked_slot(struct task *task, __u64 serial, __u64 ino)
{
	return &task->walked[(ino + serial) & (LIMIT_WALKED - 1)];
}

static __always_inline _Bool is_remembered(const struct walked *walked, __u64 serial, __u64 mount,
					   __u64 dentry)
{
	return walked->dentry == dentry && walked->mount == mount && walked->serial == serial &&
	       walked->rename_seq == sequence(&rename_lock) &&
	       walked->mount_seq == sequence(&mount_lock);
}

/*
 * All actions refused in a directory, to what lies in it and has no rule of its own, nor
 * a name with one.
 *
 * Remembered for a task until anything is renamed or mounted: no other change
 * moves a directory, and a ruleset in force never changes. A dentry's address is
 * used again, so the directory must also be the same object; where there is no
 * generation, that cannot be told, and nothing is remembered.
 */
static __always_inline __u64 refused_beneath(struct task *task, const struct sight *sight,
					     __u64 mount, struct dentry *dir)
{
	struct inode *inode = dir->d_inode;
	struct walk *walk = &task->walks[0];
	struct object *object = &walk->key.object;
	struct super_block *sb;
	struct walked *walked;

	if (!inode)
		return ~0ULL;
	sb = inode->i_sb;
	name_object(object, inode, sb);
	walked = walked_slot(task, sight->serial, inode->i_ino);
	if (is_remembered(walked, sight->serial, mount, (__u64)dir) &&
	    walked->object.ino == object->ino && walked->object.subvol == object->subvol &&
	    walked->object.dev == object->dev && walked->object.generation == object->generation)
		return walked->refused;

	walked->dentry = 0;
	walked->object = *object;
	if (walk_from(walk, sight, mount, (__u64)dir, ~0ULL) && walked->object.generation) {
		walked->mount = mount;
		walked->serial = sight->serial;
		walked->refused = decide_refused(&walk->decision);
		walked->rename_seq = walk->rename_seq;
		walked->mount_seq = walk->mount_seq;
		walked->plain =
			sb->s_magic != OVERLAYFS_SUPER_MAGIC && sb->s_magic != BTRFS_SUPER_MAGIC;
		walked->dentry = (__u64)dir;
	}
	return decide_refused(&walk->decision);
}

#define UNKNOWN (1ULL << 63)

/*
 * All actions refused to a file that is no directory, in few instructions: UNKNOWN
 * unless the walk up from its directory is remembered and neither it nor its name has
 * a rule.
 * A walk is remembered only for mounts and objects that are ruled at all, and never
 * for a file that is the root of its mount: that one has no directory there.
 */
static __always_inline __u64 refused_quickly(struct task *task, const struct sight *sight,
					     __u64 mount, struct dentry *dentry,
					     struct inode *inode)
{
	struct walked *walked;
	struct inode *above;
	struct dentry *dir;
	__u64 ino;

	if (may_have_rule(inode->i_ino, sight->index))
		return UNKNOWN;
	if (sight->lengths | sight->tails && may_be_named(sight->lengths, sight->tails, dentry))
		return UNKNOWN;
	dir = dentry->d_parent;
	above = dir->d_inode;
	if (!above)
		return UNKNOWN;
	ino = above->i_ino;
	walked = walked_slot(task, sight->serial, ino);
	if (!walked->plain || !is_remembered(walked, sight->serial, mount, (__u64)dir) ||
	    walked->object.ino != ino || walked->object.generation != above->i_generation)
		return UNKNOWN;
	return walked->refused;
}

/* All actions refused to an object, and a directory's to what lies in it. */
static __always_inline __u64 refused_object(struct task *task, const struct sight *sight,
					    __u64 mount_address, struct dentry *dentry)
{
	struct mount *mount = CAST(struct mount, mount_address);
	struct inode *inode = dentry->d_inode;
	struct rule *rule, *beneath;

	if (!inode)
		return ~0ULL;
	if (S_ISDIR(inode->i_mode))
		return refused_beneath(task, sight, mount_address, dentry);
	task->walks[0].unnamed = 0;
	if (dentry != mount->mnt.mnt_root) {
		rule = rule_of(&task->walks[0], sight->index, inode, inode->i_sb, &beneath);
		if (!rule) {
			/* Else both are tested by one OR, which the verifier refuses. */
			barrier_var(beneath);
			if (!beneath && !task->walks[0].unnamed &&
			    !may_be_named(sight->lengths, sight->tails, dentry))
				return refused_beneath(task, sight, mount_address,
						       dentry->d_parent);
		}
	}
	walk_from(&task->walks[0], sight, mount_address, (__u64)dentry, ~0ULL);
	return decide_refused(&task->walks[0].decision);
}

#endif
