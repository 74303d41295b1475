/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules on names: on paths that did not exist when a policy was resolved, and on
 * patterns of names beneath a tree. They only deny.
 *
 * A name is compared by its hash: two names with one hash would both be denied.
 */
#ifndef LANDLOCK_BPF_NAMES_H
#define LANDLOCK_BPF_NAMES_H

#include "decide.h"
#include "object.h"

/* Names from an object upwards that are looked at, mounts on the way counted. */
#define NAME_STEPS (LIMIT_MISSING + 8)

/* The hash of a name or a part of it, read into walk->name. A global function: see walk_up(). */
__noinline __u64 hash_bytes(struct walk *walk, __u64 address, __u32 length)
{
	__u64 hash = HASH_SEED, word;
	struct bpf_iter_num words;
	__u32 offset;
	int *number;

	if (!walk)
		return 0;
	if (length >= LIMIT_COMPONENT || bpf_probe_read_kernel(walk->name, length, (void *)address))
		return 0;
	bpf_iter_num_new(&words, 0, LIMIT_COMPONENT / sizeof(word));
	while ((number = bpf_iter_num_next(&words))) {
		offset = (*number & (LIMIT_COMPONENT / sizeof(word) - 1)) * sizeof(word);
		if (offset >= length)
			break;
		word = *(__u64 *)(walk->name + offset);
		if (length - offset < sizeof(word))
			word &= (1ULL << (length - offset) * 8) - 1;
		hash = hash_word(hash, word);
	}
	bpf_iter_num_destroy(&words);
	return hash_end(hash, length);
}

/* Whether names in a directory may be spelt in more than one way. */
static __always_inline _Bool has_spellings(const struct dentry *dentry)
{
	/* procfs compares sysctls in its own way, but byte by byte. */
	return dentry->d_flags & DCACHE_OP_COMPARE && dentry->d_sb->s_magic != PROC_SUPER_MAGIC;
}

/* Take a rule on a name into account. A global function: see walk_up(). */
__noinline int apply_name(struct walk *walk, const struct rule *rule, const struct object *object,
			  __u32 own)
{
	__u32 sealed = 0;

	if (!walk || !rule || !object)
		return 0;
	if (walk->mode == WALK_MODE_COLLECT) {
		for_each_layer(layer, LIMIT_LAYERS) {
			__u64 denied = rule->denied[layer];

			/* Its top bit says whether any is set: a branch a layer is too many. */
			denied |= -denied;
			sealed |= (denied >> 63) << layer;
			barrier_var(sealed); /* else all are added up at the end, from the stack */
		}
		walk->sealed |= sealed;
		walk->way |= rule->sealed;
		walk->decision.object = *object;
	} else if (own) {
		decide_own(&walk->decision, rule, object, REASON_NAMED);
	} else {
		decide_hidden(&walk->decision, rule, object, REASON_NAMED);
	}
	return 0;
}

/*
 * Apply the rules on paths that end here; each begins at a directory that did exist. Names are
 * followed across mounts, or, with mount 0, on the filesystem's own way.
 */
static __always_inline void apply_paths(struct walk *walk, __u64 mount, struct dentry *dentry,
					__u32 own)
{
	struct bpf_iter_num steps;
	struct dentry *parent;
	struct inode *inode;
	struct rule *rule;
	__u64 hash = 0;

	bpf_iter_num_new(&steps, 0, NAME_STEPS);
	while (bpf_iter_num_next(&steps)) {
		if (mount && dentry == CAST(struct mount, mount)->mnt.mnt_root) {
			dentry = CAST(struct mount, mount)->mnt_mountpoint;
			if ((__u64)CAST(struct mount, mount)->mnt_parent == mount)
				break;
			mount = (__u64)CAST(struct mount, mount)->mnt_parent;
			continue;
		}
		parent = dentry->d_parent;
		if (parent == dentry)
			break;
		hash = mix_name(hash, hash_bytes(walk, address_of(dentry->d_name.name),
						 dentry->d_name.len));
		dentry = parent;
		inode = parent->d_inode;
		if (!inode)
			continue;
		name_object(&walk->name_key.parent, inode, inode->i_sb);
		walk->name_key.hash = hash;
		walk->name_key.ruleset = walk->index;
		walk->name_key.pad = 0;
		rule = bpf_map_lookup_elem(&names, &walk->name_key);
		if (rule)
			apply_name(walk, rule, &walk->name_key.parent, own);
		if (!(walk->name_key.parent.subvol & SEEN_THROUGH_OVERLAY))
			continue;
		walk->name_key.parent.subvol &= ~SEEN_THROUGH_OVERLAY;
		rule = bpf_map_lookup_elem(&names, &walk->name_key);
		if (rule)
			apply_name(walk, rule, &walk->name_key.parent, own);
	}
	bpf_iter_num_destroy(&steps);
}

/* Whether a mount shows a filesystem from some directory of it on. */
static __always_inline _Bool is_part(const struct mount *mount)
{
	struct dentry *root = mount->mnt.mnt_root;

	return root != root->d_sb->s_root;
}

static __always_inline _Bool is_match(struct walk *walk, const struct pattern *pattern,
				      const struct dentry *dentry)
{
	__u64 name = address_of(dentry->d_name.name);
	__u32 length = dentry->d_name.len;
	__u32 head = pattern->head, tail = pattern->tail;

	if (pattern->exact)
		return length == head && hash_bytes(walk, name, length) == pattern->head_hash;
	if (head + tail > length)
		return 0;
	return (!head || hash_bytes(walk, name, head) == pattern->head_hash) &&
	       (!tail || hash_bytes(walk, name + length - tail, tail) == pattern->tail_hash);
}

/* Apply the patterns in whose trees the object is. */
static __always_inline void apply_patterns(struct walk *walk, __u64 mount, struct dentry *dentry)
{
	struct bpf_iter_num numbers;
	struct pattern *pattern;
	int *number;

	walk->pattern_key.ruleset = walk->index;
	bpf_iter_num_new(&numbers, 0, LIMIT_PATTERNS);
	while ((number = bpf_iter_num_next(&numbers))) {
		walk->pattern_key.number = *number;
		if (!((mount ? walk->trees : walk->own_trees) >> (walk->pattern_key.number & 63) &
		      1))
			continue;
		pattern = bpf_map_lookup_elem(&patterns, &walk->pattern_key);
		if (pattern && (has_spellings(dentry) || is_match(walk, pattern, dentry)))
			apply_name(walk, &pattern->rule, &pattern->tree, !mount);
	}
	bpf_iter_num_destroy(&numbers);
}

static __always_inline __u64 last_byte(const struct dentry *dentry)
{
	__u32 length = dentry->d_name.len;
	__u8 last = 0;

	bpf_probe_read_kernel(&last, 1, (void *)(address_of(dentry->d_name.name) + length - 1));
	return last;
}

/* Whether a name may be one that rules of a ruleset speak of. */
static __always_inline _Bool may_be_named(__u64 lengths, __u64 tails, const struct dentry *dentry)
{
	if (lengths >> (dentry->d_name.len & 63) & 1)
		return 1;
	return tails && (tails >> (last_byte(dentry) & 63) & 1 || has_spellings(dentry));
}

/*
 * Apply the rules on the name of a dentry, on a mount or (0) on the filesystem's own way.
 * A global function: see walk_up().
 */
__noinline int apply_names(struct walk *walk, __u64 mount, __u64 address)
{
	struct dentry *dentry = CAST(struct dentry, address);

	if (!walk)
		return 0;
	if (walk->lengths >> (dentry->d_name.len & 63) & 1) {
		apply_paths(walk, mount, dentry, !mount);
		/* Some of a path's names may be those of directories above the mount's root. */
		if (mount && is_part(CAST(struct mount, mount)))
			apply_paths(walk, 0, dentry, 0);
	}
	if ((mount ? walk->trees : walk->own_trees) && may_be_named(0, walk->tails, dentry))
		apply_patterns(walk, mount, dentry);
	return 0;
}

#endif
