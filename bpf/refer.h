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

static __always_inline void begin_report(struct report *report, const struct task *task,
					 const struct sight *sight)
{
	const struct refer *refer = &task->refer;

	report->mount = report->second_mount = refer->mount;
	report->dentry = refer->old_dentry;
	report->second_dentry = refer->new_dentry;
	report->refusal.serial = sight->serial;
	report->refusal.domain = sight->domain;
	report->refusal.hook = refer->hook;
}

/* Report what the walk that was just done refused. */
static __noinline int deny_refer_walked(struct task *task, const struct sight *sight, __u64 refused,
					_Bool enforced)
{
	struct decision *decision = &task->walks[0].decision;
	struct report report = {};

	begin_report(&report, task, sight);
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
static __always_inline int deny_parent(struct task *task, const struct sight *sight, __u64 parent,
				       __u64 refused)
{
	__u64 enforced = walk_refused(task, sight, task->refer.mount, parent, refused);

	return deny_refer_walked(task, sight, enforced ? enforced : refused, enforced != 0);
}

static __noinline int deny_gain(struct task *task, const struct sight *sight, _Bool enforced)
{
	struct report report = {};

	begin_report(&report, task, sight);
	report.refusal.layer = task->walks[1].decision.layer;
	report.refusal.reason = REASON_REFER;
	report.refusal.refused = MASK(ACTION_REFER);
	report.refusal.error = -EXDEV;
	report.refusal.permissive = !enforced;
	emit(&report);
	return enforced ? -EXDEV : 0;
}

static __noinline int deny_seals(struct task *task, const struct sight *sight, __u32 sealed)
{
	__u32 enforced = sealed & ~sight->permissive;
	struct report report = {};

	begin_report(&report, task, sight);
	report.refusal.object = task->walks[0].key.object;
	report.refusal.layer = lowest_layer(enforced ? enforced : sealed);
	report.refusal.reason = REASON_SEALED;
	report.refusal.refused = task->refer.leaves | task->refer.arrives;
	report.refusal.error = -EACCES;
	report.refusal.permissive = !enforced;
	emit(&report);
	return enforced ? -EACCES : 0;
}

/*
 * The layers in which one of the two names must stay as it is. A name that rules deny
 * cannot be linked either: under another one it would be allowed.
 */
static __noinline __u32 seals_of(struct task *task, const struct sight *sight)
{
	struct refer *refer = &task->refer;
	struct dentry *new_dentry = CAST(struct dentry, refer->new_dentry);
	__u32 sealed;

	if (refer->removes) {
		sealed = seal_of(task, sight, refer->mount, refer->old_dentry, TOUCH_REMOVED);
	} else {
		collect_names(&task->walks[0], sight, refer->mount, refer->old_dentry);
		sealed = task->walks[0].sealed;
	}
	if (sealed)
		return sealed;
	return seal_of(task, sight, refer->mount, refer->new_dentry,
		       new_dentry->d_inode ? TOUCH_REMOVED : TOUCH_MADE);
}

/*
 * Whether a directory would leave the tree of a pattern: which of the names in it the
 * pattern denies is not known. A permissive layer's pattern counts as any.
 */
static __noinline _Bool leaves_tree(struct task *task, const struct sight *sight, __u64 object,
				    __u64 from, __u64 to)
{
	struct inode *inode = CAST(struct dentry, object)->d_inode;
	struct walk *walk = &task->walks[0];
	__u64 trees;

	if (!sight->patterns || !inode || !S_ISDIR(inode->i_mode))
		return 0;
	walk_from(walk, sight, task->refer.mount, from, ~0ULL);
	trees = walk->gathered;
	walk_from(walk, sight, task->refer.mount, to, ~0ULL);
	return (trees & ~walk->gathered) != 0;
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

/* Whether the two walks tell of a gain, in layers that are not in the mask skip. */
static __noinline _Bool has_gained(struct task *task, __u64 scope, __u32 skip)
{
	return decide_gain(&task->walks[0].decision, &task->walks[1].decision, scope, skip);
}

/* Whether an object gains a right by going from where it is into a directory: enum gain. */
__noinline int gains(struct task *task, const struct sight *sight, __u64 mount, __u64 object,
		     __u64 directory)
{
	struct dentry *dentry = CAST(struct dentry, object);
	struct inode *inode = dentry->d_inode;
	__u64 scope;

	if (!inode || !task || !sight)
		return GAIN_ENFORCED;
	scope = gainable(inode);
	/* Nothing refused at the source, by a walk that is mostly remembered: nothing to gain. */
	if (!(refused_object(task, sight, mount, dentry) & scope))
		return GAIN_NONE;
	walk_from(&task->walks[0], sight, mount, object, ~0ULL);
	walk_from(&task->walks[1], sight, mount, directory, ~0ULL);
	if (has_gained(task, scope, sight->permissive))
		return GAIN_ENFORCED;
	if (sight->permissive && has_gained(task, scope, ~sight->permissive))
		return GAIN_NOTED;
	return GAIN_NONE;
}

/* Ask the parents whether something may leave the one and arrive in the other. */
static __noinline int ask_parents(struct task *task, const struct sight *sight, _Bool across)
{
	struct refer *refer = &task->refer;
	__u64 leaves = refer->leaves, arrives = refer->arrives, old_all, old_refused, new_refused;
	_Bool keep;
	int error;

	if (across) {
		leaves |= MASK(ACTION_REFER);
		arrives |= MASK(ACTION_REFER);
	}
	/* A rename ends all that is remembered; across directories it is asked again before. */
	keep = across || !refer->removes;
	old_all = refused_beneath(task, sight, refer->mount, CAST(struct dentry, refer->old_parent),
				  keep);
	old_refused = old_all & leaves;
	if (old_refused & ~MASK(ACTION_REFER)) {
		error = deny_parent(task, sight, refer->old_parent, old_refused);
		if (error)
			return error;
	}
	new_refused = (refer->new_parent == refer->old_parent
			       ? old_all
			       : refused_beneath(task, sight, refer->mount,
						 CAST(struct dentry, refer->new_parent), keep)) &
		      arrives;
	if (new_refused & ~MASK(ACTION_REFER)) {
		error = deny_parent(task, sight, refer->new_parent, new_refused);
		if (error)
			return error;
	}
	if (old_refused & MASK(ACTION_REFER)) {
		error = deny_parent(task, sight, refer->old_parent, MASK(ACTION_REFER));
		if (error)
			return error;
	}
	if (new_refused & MASK(ACTION_REFER))
		return deny_parent(task, sight, refer->new_parent, MASK(ACTION_REFER));
	return 0;
}

/* Ask one domain for a link or rename. */
__noinline int refer_domain(struct task *task, __u32 domain)
{
	struct sight *sight;
	struct refer *refer;
	__u32 sealed = 0;
	_Bool across;
	int error, gain;

	if (!task)
		return -EACCES;
	sight = &task->sight;
	if (!see(sight, domain))
		return 0;
	refer = &task->refer;
	/* By the directory itself: the root of a mount has none on it, but its name has one. */
	across = (__u64)CAST(struct dentry, refer->old_dentry)->d_parent != refer->new_parent;
	if (refer->removes || sight->lengths | sight->tails)
		sealed = seals_of(task, sight);
	if (sealed) {
		error = deny_seals(task, sight, sealed);
		if (error)
			return error;
	}
	error = ask_parents(task, sight, across);
	if (error || !across)
		return error;
	gain = gains(task, sight, refer->mount, refer->old_dentry, refer->new_parent);
	if (refer->exchange && gain != GAIN_ENFORCED)
		gain |= gains(task, sight, refer->mount, refer->new_dentry, refer->old_parent);
	if (leaves_tree(task, sight, refer->old_dentry, refer->old_parent, refer->new_parent) ||
	    (refer->exchange &&
	     leaves_tree(task, sight, refer->new_dentry, refer->new_parent, refer->old_parent)))
		gain = GAIN_ENFORCED;
	return gain ? deny_gain(task, sight, gain >= GAIN_ENFORCED) : 0;
}

static __always_inline int ask_refer(struct dentry *old_dentry, const struct path *new_dir,
				     struct dentry *new_dentry, __u32 hook, _Bool removes,
				     _Bool exchange)
{
	struct inode *old_inode, *new_inode;
	struct dentry *new_parent;
	struct subject subject;
	struct mount *mount;
	struct refer *refer;
	int found = find_subject(&subject);
	int error = 0;

	if (!found)
		return 0;
	error = refuse_pin(new_dir, old_dentry, new_dentry, hook);
	if (error)
		return error;
	new_parent = new_dir->dentry;
	mount = real_mount(new_dir->mnt);
	if (!is_ruled(new_parent->d_sb, new_parent->d_inode))
		return 0;
	overlay_seen(new_parent->d_sb);
	if (found < 0)
		return deny_storage(hook, (__u64)mount, (__u64)old_dentry, -EACCES);
	old_inode = old_dentry->d_inode;
	new_inode = new_dentry->d_inode;
	if (!old_inode || (exchange && !new_inode))
		return -ENOENT;
	refer = &subject.task->refer;
	refer->mount = (__u64)mount;
	refer->old_dentry = (__u64)old_dentry;
	refer->new_dentry = (__u64)new_dentry;
	/* The root of a mount (a file, or a detached tree) has its parent on another one. */
	refer->old_parent =
		old_dentry == mount->mnt.mnt_root ? (__u64)old_dentry : (__u64)old_dentry->d_parent;
	refer->new_parent = (__u64)new_parent;
	refer->arrives = make_action(old_inode->i_mode);
	refer->leaves = exchange ? make_action(new_inode->i_mode) : 0;
	if (removes) {
		refer->leaves |= remove_action(old_inode);
		refer->arrives |= remove_action(new_inode);
	}
	refer->hook = hook;
	refer->removes = removes;
	refer->exchange = exchange;
	for_each_domain(domain, &subject)
	{
		if (!error)
			error = refer_domain(subject.task, domain);
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
