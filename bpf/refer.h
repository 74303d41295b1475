/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Link and rename: neither gains rights.
 *
 * Within a directory the rights to make and to remove suffice. Across directories
 * both need refer, and what the object could not do at its source it must not be
 * able to do at its destination. EACCES goes before EXDEV, as upstream
 * (security/landlock/fs.c, current_check_refer_path()).
 */
#ifndef LANDLOCK_BPF_REFER_H
#define LANDLOCK_BPF_REFER_H

#include "path.h"

static __always_inline __u64 remove_action(struct inode *inode)
{
	if (!inode)
		return 0;
	return S_ISDIR(inode->i_mode) ? MASK(ACTION_REMOVE_DIR) : MASK(ACTION_REMOVE_FILE);
}

static __always_inline void begin_report(struct report *report, const struct room *room,
					 const struct sight *sight)
{
	const struct refer *refer = &room->refer;

	report->mount = report->second_mount = refer->mount;
	report->dentry = refer->old_dentry;
	report->second_dentry = refer->new_dentry;
	report->refusal.serial = sight->serial;
	report->refusal.domain = sight->domain;
	report->refusal.hook = refer->hook;
}

/* Report what the walk that was just done refused. */
static __noinline int deny_refer_walked(struct room *room, const struct sight *sight, __u64 refused,
					_Bool enforced)
{
	struct decision *decision = &room->walks[0].decision;
	struct report report = {};

	begin_report(&report, room, sight);
	report.refusal.object = decision->object;
	report.refusal.layer = decision->layer;
	report.refusal.reason = decision->reason;
	report.refusal.refused = refused;
	report.refusal.error = refused & ~MASK(ACTION_REFER) ? -EACCES : -EXDEV;
	report.refusal.permissive = !enforced;
	emit(&report);
	return enforced ? report.refusal.error : 0;
}

/* Deny for what a parent directory refuses: walk again, for the rule and its layer. */
static __always_inline int deny_parent(struct room *room, const struct sight *sight, __u64 parent,
				       __u64 refused)
{
	__u64 enforced = walk_refused(room, sight, room->refer.mount, parent, refused);

	return deny_refer_walked(room, sight, enforced ? enforced : refused, enforced != 0);
}

static __noinline int deny_gain(struct room *room, const struct sight *sight, __u32 layer,
				_Bool enforced)
{
	struct report report = {};

	begin_report(&report, room, sight);
	report.refusal.layer = layer;
	report.refusal.reason = REASON_REFER;
	report.refusal.refused = MASK(ACTION_REFER);
	report.refusal.error = -EXDEV;
	report.refusal.permissive = !enforced;
	emit(&report);
	return enforced ? -EXDEV : 0;
}

static __noinline int deny_seals(struct room *room, const struct sight *sight, __u32 sealed)
{
	__u32 enforced = enforced_layers(sight, sealed);
	struct report report = {};

	begin_report(&report, room, sight);
	report.refusal.object = room->walks[0].decision.object;
	report.refusal.layer = lowest_layer(enforced ? enforced : sealed);
	report.refusal.reason = REASON_SEALED;
	report.refusal.refused = room->refer.leaves | room->refer.arrives;
	report.refusal.error = -EACCES;
	report.refusal.permissive = !enforced;
	emit(&report);
	return enforced ? -EACCES : 0;
}

/* The layers that seal the name of what is linked, which nobody holds still while it is read. */
static __always_inline __u32 seals_of_linked(struct room *room, const struct sight *sight)
{
	struct walk *walk = &room->walks[0];
	struct epoch epoch;

	for (__u32 tried = 0; tried < WALK_TRIES; tried++) {
		begin_moment(&epoch);
		collect_names(walk, sight, room->refer.mount, room->refer.old_dentry);
		if (is_untouched(&epoch))
			return walk->sealed;
	}
	return ALL_LAYERS;
}

/*
 * Ask whether one of the two names must stay as it is. A name that rules deny cannot be linked
 * either: under another one it would be allowed.
 */
static __noinline int ask_seal(struct room *room, const struct sight *sight, _Bool second)
{
	struct refer *refer = &room->refer;
	__u64 address = second ? refer->new_dentry : refer->old_dentry;
	__u32 touch = TOUCH_REMOVED, sealed;

	if (second && !CAST(struct dentry, address)->d_inode)
		touch = TOUCH_MADE;
	if (second || refer->removes)
		sealed = seal_of(room, sight, refer->mount, address, touch, ~sight->permissive);
	else
		sealed = seals_of_linked(room, sight);
	return sealed ? deny_seals(room, sight, sealed) : 0;
}

/* The layers that deny names in trees of a mask. A global function: see walk_up(). */
__noinline int layers_of_trees(struct walk *walk, __u64 trees)
{
	struct bpf_iter_num numbers;
	struct pattern *pattern;
	int *number;

	if (!walk)
		return 0;
	walk->mode = WALK_MODE_COLLECT;
	walk->sealed = 0;
	walk->pattern_key.ruleset = walk->index;
	bpf_iter_num_new(&numbers, 0, LIMIT_PATTERNS);
	while ((number = bpf_iter_num_next(&numbers))) {
		walk->pattern_key.number = *number;
		if (!(trees >> (walk->pattern_key.number & 63) & 1))
			continue;
		pattern = bpf_map_lookup_elem(&patterns, &walk->pattern_key);
		if (pattern)
			apply_name(walk, &pattern->rule, &pattern->tree, 0);
		else
			walk->sealed = ALL_LAYERS; /* cannot be */
	}
	bpf_iter_num_destroy(&numbers);
	return walk->sealed;
}

/*
 * The layers by whose patterns a directory may not leave a tree: which of the names in it they
 * deny is not known.
 */
static __noinline __u32 layers_left(struct room *room, const struct sight *sight, __u64 object,
				    __u64 from, __u64 to)
{
	struct inode *inode = CAST(struct dentry, object)->d_inode;
	struct walk *walk = &room->walks[0];
	__u64 trees;

	if (!sight->patterns || !inode || !S_ISDIR(inode->i_mode))
		return 0;
	walk_from(walk, sight, room->refer.mount, from, ~0ULL);
	trees = walk->gathered;
	walk_from(walk, sight, room->refer.mount, to, ~0ULL);
	trees &= ~walk->gathered;
	return trees ? layers_of_trees(walk, trees) : 0;
}

/* The rights that an object may gain by going elsewhere. */
static __always_inline __u64 gainable(const struct inode *inode)
{
	if (S_ISDIR(inode->i_mode))
		return ~0ULL;
	if (S_ISBLK(inode->i_mode))
		return ACTIONS_OF_FILES & ~MASK(ACTION_MOUNT);
	/* Withheld everywhere, these would have every file walked for. */
	return ACTIONS_OF_FILES & ~ACTIONS_WITHHELD;
}

enum gain {
	GAIN_NONE = 0,
	GAIN_NOTED = 1, /* in permissive layers alone */
	GAIN_ENFORCED = 2,
};

/* Walk up from both in one epoch, for two ways of two moments cannot be compared: was that done? */
static __always_inline _Bool walk_both(struct room *room, const struct sight *sight, __u64 object,
				       __u64 directory)
{
	const struct epoch *epoch = &room->walks[0].epoch;

	for (__u32 tried = 0; tried < WALK_TRIES; tried++) {
		walk_from(&room->walks[0], sight, room->refer.mount, object, ~0ULL);
		walk_from(&room->walks[1], sight, room->refer.mount, directory, ~0ULL);
		if (is_unmoved(epoch) && is_unmounted(epoch))
			return 1;
	}
	return 0;
}

/* Whether the two walks tell of a gain, in layers that are not in the mask skip. */
static __noinline _Bool has_gained(struct room *room, __u64 scope, __u32 skip)
{
	return decide_gain(&room->walks[0].decision, &room->walks[1].decision, scope, skip);
}

/* Whether an object gains a right by going from where it is into a directory: enum gain. */
__noinline int gains(struct room *room, const struct sight *sight, __u64 object, __u64 directory)
{
	struct dentry *dentry = CAST(struct dentry, object);
	struct inode *inode = dentry->d_inode;
	__u64 scope;

	if (!inode || !room || !sight)
		return GAIN_ENFORCED;
	scope = gainable(inode);
	/* Nothing refused at the source, by a walk that is mostly remembered: nothing to gain. */
	if (!(refused_object(room, sight, room->refer.mount, dentry) & scope))
		return GAIN_NONE;
	if (!walk_both(room, sight, object, directory))
		return enforced_layers(sight, ALL_LAYERS) ? GAIN_ENFORCED : GAIN_NOTED;
	if (has_gained(room, scope, sight->permissive))
		return GAIN_ENFORCED;
	if (sight->permissive && has_gained(room, scope, ~sight->permissive))
		return GAIN_NOTED;
	return GAIN_NONE;
}

/* Ask the parents whether something may leave the one and arrive in the other. */
static __noinline int ask_parents(struct room *room, const struct sight *sight, _Bool across)
{
	struct refer *refer = &room->refer;
	__u64 leaves = refer->leaves, arrives = refer->arrives, old_all, old_refused, new_refused;
	int error;

	if (across) {
		leaves |= MASK(ACTION_REFER);
		arrives |= MASK(ACTION_REFER);
	}
	old_all =
		refused_beneath(room, sight, refer->mount, CAST(struct dentry, refer->old_parent));
	old_refused = old_all & leaves;
	if (old_refused & ~MASK(ACTION_REFER)) {
		error = deny_parent(room, sight, refer->old_parent, old_refused);
		if (error)
			return error;
	}
	new_refused = (refer->new_parent == refer->old_parent
			       ? old_all
			       : refused_beneath(room, sight, refer->mount,
						 CAST(struct dentry, refer->new_parent))) &
		      arrives;
	if (new_refused & ~MASK(ACTION_REFER)) {
		error = deny_parent(room, sight, refer->new_parent, new_refused);
		if (error)
			return error;
	}
	if (old_refused & MASK(ACTION_REFER)) {
		error = deny_parent(room, sight, refer->old_parent, MASK(ACTION_REFER));
		if (error)
			return error;
	}
	if (new_refused & MASK(ACTION_REFER))
		return deny_parent(room, sight, refer->new_parent, MASK(ACTION_REFER));
	return 0;
}

/* Ask whether something may go elsewhere: gains nothing by it, and leaves no pattern's tree. */
static __always_inline int ask_gain(struct room *room, const struct sight *sight, __u64 object,
				    __u64 from, __u64 to)
{
	int gain = gains(room, sight, object, to), error = 0;
	__u32 left, enforced;

	if (gain)
		error = deny_gain(room, sight, room->walks[1].decision.layer,
				  gain == GAIN_ENFORCED);
	if (error)
		return error;
	left = layers_left(room, sight, object, from, to);
	if (!left)
		return 0;
	enforced = left & ~sight->permissive;
	return deny_gain(room, sight, lowest_layer(enforced ? enforced : left), enforced != 0);
}

/* Ask one domain for a link or rename. */
__noinline int refer_domain(struct room *room, __u32 domain)
{
	struct sight *sight;
	struct refer *refer;
	_Bool across;
	int error;

	if (!room)
		return -EACCES;
	sight = &room->sight;
	if (!see(sight, domain))
		return 0;
	refer = &room->refer;
	/* By the directory itself: the root of a mount has none on it, but its name has one. */
	across = (__u64)CAST(struct dentry, refer->old_dentry)->d_parent != refer->new_parent;
	if (!refer->unsealed && (refer->removes || sight->lengths | sight->tails)) {
		error = ask_seal(room, sight, 0);
		if (!error)
			error = ask_seal(room, sight, 1);
		if (error)
			return error;
	}
	error = ask_parents(room, sight, across);
	if (error || !across)
		return error;
	error = ask_gain(room, sight, refer->old_dentry, refer->old_parent, refer->new_parent);
	if (!error && refer->exchange)
		error = ask_gain(room, sight, refer->new_dentry, refer->new_parent,
				 refer->old_parent);
	return error;
}

enum glance {
	GLANCE_NOTHING = 0,
	GLANCE_UNSEALED = 1, /* neither name has a rule */
	GLANCE_ALLOWED = 2,
};

/*
 * What few instructions tell of all domains, enum glance. Allowed is what no rule on the two names
 * speaks of, where the walks up from both directories are remembered, and refused neither what
 * is asked nor anything that could be gained. A global function: see walk_up().
 */
__noinline int glance(const struct subject *subject, const struct refer *refer)
{
	struct dentry *old_parent, *new_parent;
	struct inode *inode, *replaced;
	__u64 refused, unwanted = UNKNOWN;
	struct epoch epoch;
	struct sight sight;
	int seen = GLANCE_ALLOWED;
	_Bool across;

	if (!subject || !refer)
		return GLANCE_NOTHING;
	old_parent = CAST(struct dentry, refer->old_parent);
	new_parent = CAST(struct dentry, refer->new_parent);
	inode = CAST(struct dentry, refer->old_dentry)->d_inode;
	replaced = CAST(struct dentry, refer->new_dentry)->d_inode;
	across = old_parent != new_parent;
	/* On overlayfs rules are on other numbers than its inodes'. */
	if (!inode || new_parent->d_sb->s_magic == OVERLAYFS_SUPER_MAGIC)
		return GLANCE_NOTHING;
	if (refer->exchange || refer->old_parent == refer->old_dentry)
		seen = GLANCE_UNSEALED;
	if (across)
		unwanted |= MASK(ACTION_REFER) | gainable(inode);
	begin_moment(&epoch);
	/* That of what is linked is not locked. */
	if (refer->old_parent != refer->old_dentry &&
	    refer->old_parent != (__u64)CAST(struct dentry, refer->old_dentry)->d_parent)
		return GLANCE_NOTHING;
	for_each_domain(domain, subject)
	{
		if (!see(&sight, domain))
			continue;
		if (sight.lengths | sight.tails || may_have_rule(inode->i_ino, sight.index) ||
		    (replaced && may_have_rule(replaced->i_ino, sight.index)))
			return GLANCE_NOTHING;
		if (seen != GLANCE_ALLOWED)
			continue;
		refused = recall_near(&sight, &epoch, refer->mount, old_parent);
		if (refused & (unwanted | refer->leaves | (across ? 0 : refer->arrives)))
			seen = GLANCE_UNSEALED;
		else if (across && recall_near(&sight, &epoch, refer->mount, new_parent) &
					   (UNKNOWN | MASK(ACTION_REFER) | refer->arrives))
			seen = GLANCE_UNSEALED;
	}
	return is_untouched(&epoch) ? seen : GLANCE_NOTHING;
}

static __always_inline int ask_refer(struct dentry *old_dentry, const struct path *new_dir,
				     struct dentry *new_dentry, __u32 hook, _Bool removes,
				     _Bool exchange)
{
	struct inode *old_inode, *new_inode;
	struct dentry *new_parent;
	struct refer refer = {};
	struct subject subject;
	struct mount *mount;
	struct room *room;
	int error = 0, seen;

	if (!find_subject(&subject))
		return 0;
	error = refuse_pin(new_dir, old_dentry, new_dentry, hook);
	if (error)
		return error;
	new_parent = new_dir->dentry;
	mount = real_mount(new_dir->mnt);
	if (!is_ruled(new_parent->d_sb, new_parent->d_inode))
		return 0;
	overlay_seen(new_parent->d_sb);
	old_inode = old_dentry->d_inode;
	new_inode = new_dentry->d_inode;
	if (!old_inode || (exchange && !new_inode))
		return -ENOENT;
	refer.mount = (__u64)mount;
	refer.old_dentry = (__u64)old_dentry;
	refer.new_dentry = (__u64)new_dentry;
	/* The root of a mount (a file, or a detached tree) has its parent on another one. */
	refer.old_parent =
		old_dentry == mount->mnt.mnt_root ? (__u64)old_dentry : (__u64)old_dentry->d_parent;
	refer.new_parent = (__u64)new_parent;
	refer.arrives = make_action(old_inode->i_mode);
	refer.leaves = exchange ? make_action(new_inode->i_mode) : 0;
	if (removes) {
		refer.leaves |= remove_action(old_inode);
		refer.arrives |= remove_action(new_inode);
	}
	if ((refer.leaves | refer.arrives) & MASK(ACTION_REMOVE_DIR)) {
		error = refuse_end(new_dir, old_dentry, new_dentry, hook);
		if (error)
			return error;
	}
	refer.hook = hook;
	refer.removes = removes;
	refer.exchange = exchange;
	seen = glance(&subject, &refer);
	if (seen == GLANCE_ALLOWED)
		return 0;
	refer.unsealed = seen == GLANCE_UNSEALED;
	room = find_room();
	if (!room)
		return deny_storage(hook, (__u64)mount, (__u64)old_dentry, -EACCES);
	room->refer = refer;
	for_each_domain(domain, &subject)
	{
		if (!error)
			error = refer_domain(room, domain);
	}
	return error;
}

static __always_inline int on_path_link(struct dentry *old_dentry, const struct path *new_dir,
					struct dentry *new_dentry)
{
	return ask_refer(old_dentry, new_dir, new_dentry, HOOK_PATH_LINK, 0, 0);
}

static __always_inline int on_path_rename(const struct path *old_dir, struct dentry *old_dentry,
					  const struct path *new_dir, struct dentry *new_dentry,
					  unsigned int flags)
{
	return ask_refer(old_dentry, new_dir, new_dentry, HOOK_PATH_RENAME, 1,
			 (flags & RENAME_EXCHANGE) != 0);
}

#endif
