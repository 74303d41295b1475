/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walks remembered: what is refused beneath a directory, kept by a processor until a
 * directory is renamed or anything is mounted.
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
	case FUSE_CTL_SUPER_MAGIC:
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

/* Whether its filesystem asks anew what a name stands for: another machine may have moved it. */
static __always_inline _Bool is_revalidated(const struct dentry *dentry)
{
	return dentry->d_op && dentry->d_op->d_revalidate;
}

#define UNKNOWN (1ULL << 63)

/* Where a walk up from a directory is remembered under a ruleset. */
static __always_inline struct walked *walked_slot(__u64 serial, __u64 ino)
{
	__u32 slot = (ino + serial) & (LIMIT_WALKED - 1);

	return bpf_map_lookup_elem(&remembered, &slot);
}

/* Sequences come round after 2^31 renames; nothing is remembered that long. */
#define REMEMBERED_JIFFIES (1 << 16)

/*
 * What is refused beneath a directory by a walk that is remembered and held in an epoch, else
 * UNKNOWN. It holds only if the epoch is found to last yet. object: the directory's; NULL, in a
 * moment: numbers that belong to one filesystem will do. A task may be preempted while it reads or
 * writes there, by one that writes: the version tells.
 */
static __always_inline __u64 recall(const struct sight *sight, const struct epoch *epoch,
				    __u64 mount, struct dentry *dir, const struct object *object)
{
	struct inode *inode = dir->d_inode;
	const volatile struct walked *walked;
	__u64 ino, refused;
	__u32 version, generation;

	if (!inode)
		return UNKNOWN;
	ino = inode->i_ino;
	walked = walked_slot(sight->serial, ino);
	if (!walked)
		return UNKNOWN;
	generation = object ? object->generation : inode->i_generation;
	if (object)
		ino = object->ino;
	version = walked->version;
	/* Moves end most of them, so that is asked first. */
	if (walked->rename_seq != epoch->rename_seq &&
	    walked->tree_seq != (object ? epoch->tree_seq : tree_seq_of(epoch)))
		return UNKNOWN;
	if (walked->mount_seq != epoch->mount_seq || walked->dentry != (__u64)dir ||
	    walked->mount != mount || bpf_jiffies64() - walked->time > REMEMBERED_JIFFIES ||
	    walked->serial != sight->serial || walked->object.ino != ino ||
	    walked->object.generation != generation)
		return UNKNOWN;
	if (object ? walked->object.subvol != object->subvol || walked->object.dev != object->dev ||
			     walked->parent != (__u64)dir->d_parent
		   : !walked->quick)
		return UNKNOWN;
	refused = walked->refused;
	return version & 1 || walked->version != version ? UNKNOWN : refused;
}

/*
 * Files in it may be decided quickly where neither a stacking filesystem nor subvolumes have
 * a say in what they are, where none is vital, and where nobody else moves directories.
 */
static __always_inline void remember(const struct sight *sight, const struct epoch *epoch,
				     __u64 mount, struct dentry *dir, const struct object *object,
				     __u64 refused)
{
	struct inode *inode = dir->d_inode;
	struct walked *walked = inode ? walked_slot(sight->serial, inode->i_ino) : NULL;
	volatile struct walked *kept = walked;
	__u64 magic = dir->d_sb->s_magic;
	__u32 version;

	if (!walked)
		return;
	version = kept->version;
	if (version & 1 || !__sync_bool_compare_and_swap(&walked->version, version, version + 1))
		return; /* another task was preempted while it writes there */
	kept->dentry = (__u64)dir;
	kept->parent = (__u64)dir->d_parent;
	kept->mount = mount;
	kept->time = bpf_jiffies64();
	kept->object.ino = object->ino;
	kept->object.subvol = object->subvol;
	kept->object.dev = object->dev;
	kept->object.generation = object->generation;
	kept->serial = sight->serial;
	kept->refused = refused;
	kept->rename_seq = epoch->rename_seq;
	kept->tree_seq = epoch->tree_seq;
	kept->mount_seq = epoch->mount_seq;
	kept->quick = magic != OVERLAYFS_SUPER_MAGIC && magic != BTRFS_SUPER_MAGIC &&
		      !may_be_vital(magic) && !is_record(dir) && !is_revalidated(dir);
	kept->version = version + 2;
}

/* Whether what is refused in a directory is what is refused in its parent: no rule names it. */
static __always_inline _Bool is_unruled(const struct sight *sight, __u64 mount, struct dentry *dir,
					const struct inode *inode)
{
	return !(sight->lengths | sight->tails) && dir != CAST(struct mount, mount)->mnt.mnt_root &&
	       dir->d_sb->s_magic != OVERLAYFS_SUPER_MAGIC &&
	       !may_have_rule(inode->i_ino, sight->index);
}

/* The same as recall() in a moment, by what is remembered of the directory or of its parent. */
static __always_inline __u64 recall_near(const struct sight *sight, const struct epoch *epoch,
					 __u64 mount, struct dentry *dir)
{
	__u64 refused = recall(sight, epoch, mount, dir, NULL);
	struct inode *inode = dir->d_inode;

	if (refused != UNKNOWN || !inode || !is_unruled(sight, mount, dir, inode) || is_record(dir))
		return refused;
	return recall(sight, epoch, mount, dir->d_parent, NULL);
}

/*
 * All actions refused in a directory, to what lies in it and has no rule of its own, nor
 * a name with one. Those that are withheld count as refused: they are asked by themselves.
 *
 * Remembered until a directory is renamed or anything is mounted: no other change moves a
 * directory, and a ruleset in force never changes. A dentry's address is used again, so the
 * directory must also be the same object; where there is no generation, that cannot be told, and
 * nothing is remembered. A directory without a rule is as its parent, which is remembered as
 * well, for its other directories.
 */
static __always_inline __u64 refused_beneath(struct room *room, const struct sight *sight,
					     __u64 mount, struct dentry *dir)
{
	struct inode *inode = dir->d_inode, *outer;
	struct walk *walk = &room->walks[0];
	struct object *object = &walk->key.object;
	struct dentry *parent;
	__u64 refused;
	_Bool keep;
	int still;

	if (!inode)
		return ~0ULL;
	begin_epoch(&walk->epoch);
	name_object(object, inode, inode->i_sb);
	refused = recall(sight, &walk->epoch, mount, dir, object);
	if (refused != UNKNOWN && is_unmoved(&walk->epoch))
		return refused;
	keep = object->generation != 0;
	parent = keep && is_unruled(sight, mount, dir, inode) ? dir->d_parent : NULL;
	outer = parent ? parent->d_inode : NULL;
	if (outer) {
		name_inode(object, outer, outer->i_sb);
		refused = recall(sight, &walk->epoch, mount, parent, object);
		if (refused != UNKNOWN && is_unmoved(&walk->epoch)) {
			name_inode(object, inode, inode->i_sb);
			remember(sight, &walk->epoch, mount, dir, object, refused);
			return refused;
		}
	}
	still = walk_from(walk, sight, mount, (__u64)dir, ~ACTIONS_WITHHELD);
	refused = decide_refused(&walk->decision) | (sight->handled_any & ACTIONS_WITHHELD);
	if (!still || !keep)
		return refused;
	name_object(object, inode, inode->i_sb);
	remember(sight, &walk->epoch, mount, dir, object, refused);
	/* Asked only now: if that has changed meanwhile, so has the tree. */
	parent = outer ? dir->d_parent : NULL;
	outer = parent ? parent->d_inode : NULL;
	if (!outer || !outer->i_generation || !((inode->i_ino ^ outer->i_ino) & (LIMIT_WALKED - 1)))
		return refused;
	name_inode(object, outer, outer->i_sb);
	remember(sight, &walk->epoch, mount, parent, object, refused);
	return refused;
}

/*
 * All actions refused to an object, and a directory's to what lies in it, in few instructions:
 * UNKNOWN unless the walk up from the directory or its parent is remembered, and a file has
 * neither a rule nor a name with one.
 * A walk is remembered only for mounts and objects that are ruled at all, and never
 * for a file that is the root of its mount: that one has no directory there.
 */
static __always_inline __u64 refused_quickly(const struct sight *sight, const struct epoch *epoch,
					     __u64 mount, struct dentry *dentry,
					     struct inode *inode)
{
	if (!S_ISDIR(inode->i_mode)) {
		if (may_have_rule(inode->i_ino, sight->index))
			return UNKNOWN;
		if (sight->lengths | sight->tails &&
		    may_be_named(sight->lengths, sight->tails, dentry))
			return UNKNOWN;
		dentry = dentry->d_parent;
	}
	return recall_near(sight, epoch, mount, dentry);
}

/* All actions refused to an object, and a directory's to what lies in it. */
static __always_inline __u64 refused_object(struct room *room, const struct sight *sight,
					    __u64 mount_address, struct dentry *dentry)
{
	struct mount *mount = CAST(struct mount, mount_address);
	struct inode *inode = dentry->d_inode;
	struct rule *rule, *beneath;
	struct epoch epoch;
	__u64 refused;

	if (!inode)
		return ~0ULL;
	if (S_ISDIR(inode->i_mode))
		return refused_beneath(room, sight, mount_address, dentry);
	begin_moment(&epoch);
	room->walks[0].unnamed = 0;
	if (dentry != mount->mnt.mnt_root) {
		rule = rule_of(&room->walks[0], sight->index, inode, inode->i_sb, &beneath);
		if (!rule) {
			/* Else both are tested by one OR, which the verifier refuses. */
			barrier_var(beneath);
			if (!beneath && !room->walks[0].unnamed &&
			    !may_be_named(sight->lengths, sight->tails, dentry)) {
				refused = refused_beneath(room, sight, mount_address,
							  dentry->d_parent);
				if (is_untouched(&epoch))
					return refused;
			}
		}
	}
	walk_from(&room->walks[0], sight, mount_address, (__u64)dentry, ~ACTIONS_WITHHELD);
	return decide_refused(&room->walks[0].decision) | (sight->handled_any & ACTIONS_WITHHELD);
}

#endif
