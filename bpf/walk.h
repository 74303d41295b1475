/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The walk: from an object up to the root of the mount namespace, across mounts.
 *
 * Reads rename_lock and mount_lock before and after, as the kernel's own lockless
 * walks do. Hooks run in an RCU read-side section, so no dentry or mount met on the
 * way is freed meanwhile.
 */
#ifndef LANDLOCK_BPF_WALK_H
#define LANDLOCK_BPF_WALK_H

#include "decide.h"
#include "object.h"

/*
 * A walk that met a rename or a mount is done again. Once more would do for one
 * rename, but every process may rename all the time, and a denial that comes and
 * goes with the load is worse than a few walks.
 */
#define WALK_TRIES 8

static __always_inline _Bool may_have_rule(__u64 ino, __u32 ruleset)
{
	__u64 bit = filter_bit(ino, ruleset);
	__u32 word = bit >> 6;
	__u64 *bits = bpf_map_lookup_elem(&filter, &word);

	return !bits || (*bits >> (bit & 63)) & 1;
}

/*
 * What the ruleset says of an inode, or NULL. Leaves the object's name in walk->key.
 *
 * *beneath is what it says of the real inode that an object of overlayfs is named by: its
 * denials hold on overlayfs as well, its permissions do not.
 */
static __always_inline struct rule *rule_of(struct walk *walk, __u32 ruleset, struct inode *inode,
					    struct super_block *sb, struct rule **beneath)
{
	__u64 ino;

	*beneath = NULL;
	if (sb->s_magic != OVERLAYFS_SUPER_MAGIC) {
		ino = inode->i_ino;
		/* Else one load serves both branches, which the verifier refuses. */
		barrier_var(ino);
		if (!may_have_rule(ino, ruleset))
			return NULL;
		name_inode(&walk->key.object, inode, sb);
		walk->key.ruleset = ruleset;
		walk->key.pad = 0;
		return bpf_map_lookup_elem(&fsview, &walk->key);
	}
	/* Without its real inode an object may be any: the walk cannot decide. */
	if (!name_overlay(&walk->key.object, address_of(inode))) {
		walk->unnamed = 1;
		return NULL;
	}
	if (!may_have_rule(walk->key.object.ino, ruleset))
		return NULL;
	walk->key.ruleset = ruleset;
	walk->key.pad = 0;
	walk->key.object.subvol &= ~SEEN_THROUGH_OVERLAY;
	*beneath = bpf_map_lookup_elem(&fsview, &walk->key);
	walk->key.object.subvol |= SEEN_THROUGH_OVERLAY;
	return bpf_map_lookup_elem(&fsview, &walk->key);
}

struct step {
	struct walk *walk;
	__u32 ruleset;
};

/* One step on the filesystem's own way, past the root of a bind mount. */
static long step_own(__u32 index, struct step *step)
{
	struct walk *walk = step->walk;
	struct dentry *dentry = CAST(struct dentry, walk->own);
	struct dentry *parent = dentry->d_parent;
	struct inode *inode;
	struct super_block *sb;
	struct rule *rule, *beneath;

	if (parent == dentry) {
		/* NFS has roots beside s_root; but above a lost dentry there may be denials. */
		if (is_lost(dentry))
			walk->end = END_DISCONNECTED;
		walk->own = 0;
		return 1;
	}
	walk->own = (__u64)parent;
	inode = parent->d_inode;
	if (!inode)
		return 0;
	sb = inode->i_sb;
	rule = rule_of(walk, step->ruleset, inode, sb, &beneath);
	if (beneath)
		decide_hidden(&walk->decision, beneath, &walk->key.object);
	if (rule)
		decide_own(&walk->decision, rule, &walk->key.object);
	return 0;
}

/* Go past the root of a mount. Returns 1 where the walk ends. */
static __always_inline long cross_mount(struct step *step, struct walk *walk, struct mount *mount,
					struct dentry *root)
{
	struct mount *parent = mount->mnt_parent;
	struct super_block *sb = root->d_sb;

	if (!sb || root != sb->s_root) {
		decide_own_begin(&walk->decision);
		walk->own = (__u64)root;
		bpf_loop(LIMIT_DEPTH, step_own, step, 0);
		if (walk->own) /* longer than the limit: denials above are unknown */
			walk->end = END_DISCONNECTED;
		if (walk->end)
			return 1;
	}
	if (parent == mount) {
		walk->end = is_namespace_root(mount) ? END_ROOT : END_DETACHED;
		return 1;
	}
	walk->dentry = (__u64)mount->mnt_mountpoint;
	walk->mount = (__u64)parent;
	walk->hidden = 1;
	return 0;
}

static long step_up(__u32 index, struct step *step)
{
	struct walk *walk = step->walk;
	struct dentry *dentry = CAST(struct dentry, walk->dentry);
	struct mount *mount = CAST(struct mount, walk->mount);
	struct inode *inode = dentry->d_inode;
	struct dentry *parent;
	struct rule *rule = NULL, *beneath = NULL;

	if (inode)
		rule = rule_of(walk, step->ruleset, inode, inode->i_sb, &beneath);
	if (walk->unnamed)
		return 1;
	if (beneath)
		decide_hidden(&walk->decision, beneath, &walk->key.object);
	if (rule && walk->hidden) {
		decide_hidden(&walk->decision, rule, &walk->key.object);
	} else if (rule && !decide_object(&walk->decision, rule, &walk->key.object)) {
		walk->end = END_SETTLED;
		return 1;
	}
	if (dentry == mount->mnt.mnt_root)
		return cross_mount(step, walk, mount, dentry);
	parent = dentry->d_parent;
	if (parent == dentry) {
		walk->end = END_DISCONNECTED;
		return 1;
	}
	walk->dentry = (__u64)parent;
	walk->hidden = 0;
	return walk->depth++ > LIMIT_DEPTH;
}

static __always_inline void walk_once(struct walk *walk, struct ruleset *ruleset, __u32 index,
				      __u64 asked)
{
	struct step step = { .walk = walk, .ruleset = index };

	walk->mount = walk->from_mount;
	walk->dentry = walk->from_dentry;
	walk->end = END_NONE;
	walk->hidden = 0;
	walk->depth = 0;
	walk->unnamed = 0;
	if (!decide_begin(&walk->decision, ruleset, asked))
		return;
	bpf_loop(LIMIT_DEPTH + LIMIT_CROSSED + 2, step_up, &step, 0);
	if (walk->unnamed)
		walk->end = END_DISCONNECTED;
	switch (walk->end) {
	case END_SETTLED:
		return;
	case END_ROOT:
		decide_end(&walk->decision, ruleset);
		return;
	case END_DETACHED:
		decide_lost(&walk->decision, REASON_DETACHED);
		return;
	case END_DISCONNECTED:
		decide_lost(&walk->decision, REASON_DISCONNECTED);
		return;
	default:
		decide_lost(&walk->decision, REASON_DEPTH);
	}
}

/* Whether nothing was renamed or mounted since the walk began; an odd sequence is a change under
 * way. */
static __always_inline _Bool is_still(const struct walk *walk)
{
	return !((walk->rename_seq | walk->mount_seq) & 1) &&
	       walk->rename_seq == sequence(&rename_lock) &&
	       walk->mount_seq == sequence(&mount_lock);
}

struct attempt {
	struct walk *walk;
	struct ruleset *ruleset;
	__u64 asked;
	__u32 index;
	__u32 still;
};

static long attempt_walk(__u32 index, struct attempt *attempt)
{
	struct walk *walk = attempt->walk;

	walk->rename_seq = sequence(&rename_lock);
	walk->mount_seq = sequence(&mount_lock);
	walk_once(walk, attempt->ruleset, attempt->index, attempt->asked);
	attempt->still = is_still(walk);
	return attempt->still;
}

/*
 * Decide all actions in asked for an object; the answer is in walk->decision.
 * Returns whether it held from the walk's begin to its end.
 *
 * A global function, like all below that are not static: the verifier goes
 * through it once a program, not at every call.
 */
__noinline int walk_up(struct walk *walk, const struct sight *sight, __u64 asked)
{
	struct attempt attempt = { .walk = walk, .asked = asked };

	if (!walk || !sight)
		return 0;
	attempt.index = sight->index;
	attempt.ruleset = bpf_map_lookup_elem(&rulesets, &attempt.index);
	if (!attempt.ruleset) {
		walk->decision.layers = 1; /* cannot be: deny all */
		walk->decision.refused[0] = asked;
		return 0;
	}
	bpf_loop(WALK_TRIES, attempt_walk, &attempt, 0);
	if (attempt.still)
		return 1;
	decide_begin(&walk->decision, attempt.ruleset, asked);
	decide_lost(&walk->decision, REASON_RACE);
	return 0;
}

static __always_inline int walk_from(struct walk *walk, const struct sight *sight, __u64 mount,
				     __u64 dentry, __u64 asked)
{
	walk->from_mount = mount;
	walk->from_dentry = dentry;
	return walk_up(walk, sight, asked);
}

#endif
