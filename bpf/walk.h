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

#include "names.h"

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

/* How a rule that a walk meets counts. */
enum counting {
	COUNTS = 0,
	COUNTS_HIDDEN = 1, /* its denials alone: see decide_hidden() */
	COUNTS_OWN = 2,	   /* on the filesystem's own way */
};

/*
 * Count the rule of the object in walk->key. Returns whether anything is still pending.
 * A global function: see walk_up().
 */
__noinline int count_rule(struct walk *walk, const struct rule *rule, __u32 counting)
{
	if (!walk || !rule)
		return 1;
	switch (counting) {
	case COUNTS:
		return decide_object(&walk->decision, rule, &walk->key.object);
	case COUNTS_HIDDEN:
		decide_hidden(&walk->decision, rule, &walk->key.object, REASON_RULE);
		return 1;
	default:
		decide_own(&walk->decision, rule, &walk->key.object, REASON_RULE);
		return 1;
	}
}

/* The patterns whose trees begin at an object. */
static __always_inline __u64 trees_of(const struct rule *rule, const struct rule *beneath)
{
	__u64 trees = 0;

	if (rule)
		trees |= rule->trees;
	if (beneath)
		trees |= beneath->trees;
	return trees;
}

static __always_inline void gather(struct walk *walk, const struct rule *rule,
				   const struct rule *beneath)
{
	walk->trees |= trees_of(rule, beneath);
}

/* Take notice of the mount where the walk is. */
static __always_inline void enter_mount(struct walk *walk)
{
	struct dentry *root = CAST(struct mount, walk->mount)->mnt.mnt_root;

	walk->root = (__u64)root;
	walk->plain = walk->mode == WALK_MODE_DECIDE && !(walk->lengths | walk->trees) &&
		      root->d_sb->s_magic != OVERLAYFS_SUPER_MAGIC;
}

/* Go past the root of a mount. Returns 1 where the walk ends. */
static __always_inline long leave_mount(struct walk *walk)
{
	struct mount *mount = CAST(struct mount, walk->mount);
	struct mount *parent = mount->mnt_parent;

	if (parent == mount) {
		walk->end = is_namespace_root(mount) ? END_ROOT : END_DETACHED;
		return 1;
	}
	walk->dentry = (__u64)mount->mnt_mountpoint;
	walk->mount = (__u64)parent;
	walk->hidden = 1;
	enter_mount(walk);
	return 0;
}

/*
 * At the root of a mount: where that is not the filesystem's own, go the filesystem's own way
 * first, for denials.
 */
static __always_inline long cross_mount(struct walk *walk, struct dentry *root)
{
	struct super_block *sb = root->d_sb;

	if (sb && root == sb->s_root)
		return leave_mount(walk);
	decide_own_begin(&walk->decision);
	walk->own = (__u64)root;
	walk->own_depth = 0;
	walk->own_trees = walk->trees;
	if (walk->mode == WALK_MODE_DECIDE && walk->lengths | walk->own_trees)
		apply_names(walk, 0, address_of(root));
	return 0;
}

/* One step on the filesystem's own way, past the root of a bind mount. */
static __always_inline long step_own(struct walk *walk)
{
	struct dentry *dentry = CAST(struct dentry, walk->own);
	struct dentry *parent = dentry->d_parent;
	struct inode *inode;
	struct super_block *sb;
	struct rule *rule, *beneath;

	if (parent == dentry) {
		walk->own = 0;
		/* NFS has roots beside s_root; but above a lost dentry there may be denials. */
		if (!is_lost(dentry))
			return leave_mount(walk);
		walk->end = END_DISCONNECTED;
		return 1;
	}
	if (walk->own_depth++ > LIMIT_DEPTH) { /* denials above are unknown */
		walk->end = END_DISCONNECTED;
		return 1;
	}
	walk->own = (__u64)parent;
	inode = parent->d_inode;
	if (!inode)
		return 0;
	sb = inode->i_sb;
	rule = rule_of(walk, walk->index, inode, sb, &beneath);
	if (walk->mode == WALK_MODE_GATHER) {
		gather(walk, rule, beneath);
		return 0;
	}
	if (walk->lengths | walk->own_trees) {
		/* A pattern speaks of what is beneath its tree, not of the tree. */
		walk->own_trees &= ~trees_of(rule, beneath);
		apply_names(walk, 0, address_of(parent));
	}
	if (beneath)
		count_rule(walk, beneath, COUNTS_HIDDEN);
	if (rule)
		count_rule(walk, rule, COUNTS_OWN);
	return 0;
}

/* Pass a directory that surely has no rule. */
static long pass_by(__u32 index, struct walk **context)
{
	struct walk *walk = *context;
	struct dentry *dentry = CAST(struct dentry, walk->dentry), *parent;
	struct inode *inode = dentry->d_inode;

	if (walk->dentry == walk->root || !inode || may_have_rule(inode->i_ino, walk->index))
		return 1;
	parent = dentry->d_parent;
	if (parent == dentry)
		return 1;
	walk->dentry = (__u64)parent;
	walk->hidden = 0;
	return walk->depth++ > LIMIT_DEPTH;
}

static long step_up(__u32 index, struct walk **context)
{
	struct walk *walk = *context;
	struct dentry *dentry, *parent;
	struct inode *inode;
	struct rule *rule = NULL, *beneath = NULL;

	if (walk->own)
		return step_own(walk);
	if (walk->plain)
		bpf_loop(LIMIT_DEPTH, pass_by, &walk, 0);
	dentry = CAST(struct dentry, walk->dentry);
	inode = dentry->d_inode;
	if (inode)
		rule = rule_of(walk, walk->index, inode, inode->i_sb, &beneath);
	if (walk->unnamed)
		return 1;
	if (walk->mode == WALK_MODE_GATHER) {
		gather(walk, rule, beneath);
		rule = NULL;
		beneath = NULL;
	} else if (walk->lengths | walk->trees) {
		walk->trees &= ~trees_of(rule, beneath);
		if (walk->dentry != walk->root)
			apply_names(walk, walk->mount, walk->dentry);
	}
	if (beneath)
		count_rule(walk, beneath, COUNTS_HIDDEN);
	if (rule && !count_rule(walk, rule, walk->hidden ? COUNTS_HIDDEN : COUNTS)) {
		walk->end = END_SETTLED;
		return 1;
	}
	if (walk->dentry == walk->root)
		return cross_mount(walk, dentry);
	parent = dentry->d_parent;
	if (parent == dentry) {
		walk->end = END_DISCONNECTED;
		return 1;
	}
	walk->dentry = (__u64)parent;
	walk->hidden = 0;
	return walk->depth++ > LIMIT_DEPTH;
}

static __always_inline void begin_walk_up(struct walk *walk, __u32 mode)
{
	walk->mode = mode;
	walk->mount = walk->from_mount;
	walk->dentry = walk->from_dentry;
	enter_mount(walk);
	walk->own = 0;
	walk->end = END_NONE;
	walk->hidden = 0;
	walk->depth = 0;
	walk->unnamed = 0;
}

/* Directories are counted on the way; this is for mounts, each with its filesystem's own way. */
#define WALK_STEPS ((LIMIT_CROSSED + 1) * (LIMIT_DEPTH + 4))

/* Decide what is pending at the end of a walk. A global function: see walk_up(). */
__noinline int end_walk_up(struct walk *walk, const struct ruleset *ruleset)
{
	__u32 reason = REASON_DEPTH;

	if (!walk || !ruleset)
		return 0;
	if (walk->unnamed)
		walk->end = END_DISCONNECTED;
	switch (walk->end) {
	case END_SETTLED:
		return 0;
	case END_ROOT:
		decide_end(&walk->decision, ruleset);
		return 0;
	case END_DETACHED:
		reason = REASON_DETACHED;
		break;
	case END_DISCONNECTED:
		reason = REASON_DISCONNECTED;
		break;
	}
	decide_lost(&walk->decision, reason);
	return 0;
}

/* Begin to decide. Returns whether anything is handled. A global function: see walk_up(). */
__noinline int begin_decision(struct walk *walk, const struct ruleset *ruleset, __u64 asked)
{
	if (!walk || !ruleset)
		return 0;
	walk->lengths = ruleset->lengths;
	walk->tails = ruleset->tails;
	walk->trees = 0;
	return decide_begin(&walk->decision, ruleset, asked);
}

/*
 * Whether the way up was there from the walk's begin to its end. No move of a file changes the one
 * from a directory.
 */
static __always_inline _Bool is_still(const struct walk *walk)
{
	struct inode *inode = CAST(struct dentry, walk->from_dentry)->d_inode;

	if (!is_unmounted(&walk->epoch))
		return 0;
	return inode && S_ISDIR(inode->i_mode) ? is_unmoved(&walk->epoch)
					       : is_untouched(&walk->epoch);
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
	struct bpf_iter_num passes;
	struct ruleset *ruleset;
	__u32 index, still = 0;

	if (!walk || !sight)
		return 0;
	index = sight->index;
	ruleset = bpf_map_lookup_elem(&rulesets, &index);
	if (!ruleset) {
		walk->decision.layers = 1; /* cannot be: deny all */
		walk->decision.refused[0] = asked;
		return 0;
	}
	walk->index = index;
	walk->mode = WALK_MODE_DECIDE;
	/* Where there are patterns, a try has two passes: the first tells in which trees it is. */
	bpf_iter_num_new(&passes, 0, 2 * WALK_TRIES);
	while (!still && bpf_iter_num_next(&passes)) {
		if (walk->mode != WALK_MODE_GATHER) {
			begin_epoch(&walk->epoch);
			if (!begin_decision(walk, ruleset, asked)) {
				still = 1;
				break;
			}
			begin_walk_up(walk,
				      ruleset->patterns ? WALK_MODE_GATHER : WALK_MODE_DECIDE);
		} else {
			begin_walk_up(walk, WALK_MODE_DECIDE);
		}
		walk->gathered = walk->trees;
		bpf_loop(WALK_STEPS, step_up, &walk, 0);
		if (walk->mode == WALK_MODE_GATHER)
			continue;
		end_walk_up(walk, ruleset);
		still = is_still(walk);
	}
	bpf_iter_num_destroy(&passes);
	if (still)
		return 1;
	begin_decision(walk, ruleset, asked);
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
