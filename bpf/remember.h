/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walks remembered: what is refused beneath a directory, kept for a task until
 * anything is renamed or mounted.
 */
#ifndef LANDLOCK_BPF_REMEMBER_H
#define LANDLOCK_BPF_REMEMBER_H

#include "walk.h"

/* Filesystems with vital files. Most opens of a domain are of others: few instructions. */
static __always_inline _Bool may_be_vital(__u64 magic)
{
	switch (magic) {
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case CGROUP_SUPER_MAGIC:
	case CGROUP2_SUPER_MAGIC:
	case BPF_FS_MAGIC:
	case DEBUGFS_MAGIC:
	case TRACEFS_MAGIC:
	case SECURITYFS_MAGIC:
	case EFIVARFS_MAGIC:
	case CONFIGFS_MAGIC:
	case BINFMTFS_MAGIC:
	case NFSD_MAGIC:
		return 1;
	default:
		return 0;
	}
}

/* Folders that records lie in, from them up to RUN in landlock_bpf/record.py. */
#define RECORD_DEPTH 2

static __always_inline _Bool has_records(const struct super_block *sb)
{
	struct state *state = the_state();

	return state && sb->s_dev == state->records_dev && state->records_ino;
}

/* Whether something is the folder of the controller's records, or lies in it. */
static __always_inline _Bool is_record(struct dentry *dentry)
{
	struct state *state = the_state();
	struct inode *inode;

	if (!has_records(dentry->d_sb) || !state)
		return 0;
	for (__u32 level = 0; level <= RECORD_DEPTH; level++) {
		inode = dentry->d_inode;
		if (inode && inode->i_ino == state->records_ino)
			return 1;
		dentry = dentry->d_parent;
	}
	return 0;
}

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

/* Whether a walk up from a directory is remembered that holds still; object: its identity. */
static __always_inline _Bool holds(const struct walked *walked, const struct sight *sight,
				   __u64 mount, struct dentry *dir, const struct object *object)
{
	return is_remembered(walked, sight->serial, mount, (__u64)dir) &&
	       walked->object.ino == object->ino && walked->object.subvol == object->subvol &&
	       walked->object.dev == object->dev && walked->object.generation == object->generation;
}

/*
 * Files in it may be decided quickly where neither a stacking filesystem nor subvolumes have
 * a say in what they are, and where none is vital.
 */
static __always_inline void remember(struct walked *walked, const struct sight *sight, __u64 mount,
				     struct dentry *dir, __u32 rename_seq, __u32 mount_seq,
				     __u64 refused)
{
	__u64 magic = dir->d_sb->s_magic;

	walked->mount = mount;
	walked->serial = sight->serial;
	walked->refused = refused;
	walked->rename_seq = rename_seq;
	walked->mount_seq = mount_seq;
	walked->quick = magic != OVERLAYFS_SUPER_MAGIC && magic != BTRFS_SUPER_MAGIC &&
			!may_be_vital(magic) && !is_record(dir);
	walked->dentry = (__u64)dir;
}

/* Whether what is refused in a directory is what is refused in its parent: no rule names it. */
static __always_inline _Bool is_unruled(const struct sight *sight, __u64 mount, struct dentry *dir,
					const struct inode *inode)
{
	return !(sight->lengths | sight->tails) && dir != CAST(struct mount, mount)->mnt.mnt_root &&
	       dir->d_sb->s_magic != OVERLAYFS_SUPER_MAGIC &&
	       !may_have_rule(inode->i_ino, sight->index);
}

/*
 * All actions refused in a directory, to what lies in it and has no rule of its own, nor
 * a name with one. Those that are withheld count as refused: they are asked by themselves.
 *
 * Remembered for a task until anything is renamed or mounted: no other change
 * moves a directory, and a ruleset in force never changes. A dentry's address is
 * used again, so the directory must also be the same object; where there is no
 * generation, that cannot be told, and nothing is remembered. A directory without a rule is
 * as its parent, which is remembered as well, for its other directories. keep: unless the
 * next thing that happens is a rename.
 */
static __always_inline __u64 refused_beneath(struct task *task, const struct sight *sight,
					     __u64 mount, struct dentry *dir, _Bool keep)
{
	struct inode *inode = dir->d_inode, *outer;
	struct walk *walk = &task->walks[0];
	struct object *object = &walk->key.object;
	struct walked *walked, *above;
	struct dentry *parent;
	__u64 refused;
	int still;

	if (!inode)
		return ~0ULL;
	name_object(object, inode, inode->i_sb);
	walked = walked_slot(task, sight->serial, inode->i_ino);
	if (holds(walked, sight, mount, dir, object))
		return walked->refused;

	if (keep && object->generation) {
		walked->dentry = 0;
		walked->object = *object;
	} else {
		keep = 0;
	}
	parent = keep && is_unruled(sight, mount, dir, inode) ? dir->d_parent : NULL;
	outer = parent ? parent->d_inode : NULL;
	if (outer) {
		name_inode(object, outer, outer->i_sb);
		above = walked_slot(task, sight->serial, outer->i_ino);
		if (above != walked && holds(above, sight, mount, parent, object)) {
			remember(walked, sight, mount, dir, above->rename_seq, above->mount_seq,
				 above->refused);
			return above->refused;
		}
	}
	still = walk_from(walk, sight, mount, (__u64)dir, ~ACTIONS_WITHHELD);
	refused = decide_refused(&walk->decision) | (sight->handled_any & ACTIONS_WITHHELD);
	if (!still || !keep)
		return refused;
	remember(walked, sight, mount, dir, walk->rename_seq, walk->mount_seq, refused);
	/* Asked only now: if that has changed meanwhile, so has rename_lock. */
	parent = outer ? dir->d_parent : NULL;
	outer = parent ? parent->d_inode : NULL;
	if (!outer)
		return refused;
	above = walked_slot(task, sight->serial, outer->i_ino);
	if (above == walked || !outer->i_generation)
		return refused;
	name_inode(&above->object, outer, outer->i_sb);
	remember(above, sight, mount, parent, walk->rename_seq, walk->mount_seq, refused);
	return refused;
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
	if (!walked->quick || !is_remembered(walked, sight->serial, mount, (__u64)dir) ||
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
		return refused_beneath(task, sight, mount_address, dentry, 1);
	task->walks[0].unnamed = 0;
	if (dentry != mount->mnt.mnt_root) {
		rule = rule_of(&task->walks[0], sight->index, inode, inode->i_sb, &beneath);
		if (!rule) {
			/* Else both are tested by one OR, which the verifier refuses. */
			barrier_var(beneath);
			if (!beneath && !task->walks[0].unnamed &&
			    !may_be_named(sight->lengths, sight->tails, dentry))
				return refused_beneath(task, sight, mount_address, dentry->d_parent,
						       1);
		}
	}
	walk_from(&task->walks[0], sight, mount_address, (__u64)dentry, ~ACTIONS_WITHHELD);
	return decide_refused(&task->walks[0].decision) | (sight->handled_any & ACTIONS_WITHHELD);
}

#endif
