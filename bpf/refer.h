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
static __noinline int deny_refer_walked(struct task *task, const struct sight *sight, __u64 refused)
{
	struct decision *decision = &task->walks[0].decision;
	struct report report = {};

	begin_report(&report, task, sight);
	report.refusal.object = decision->object;
	report.refusal.layer = decision->layer;
	report.refusal.reason = decision->reason;
	report.refusal.refused = refused;
	report.refusal.error = refused & ~MASK(ACTION_REFER) ? -EACCES : -EXDEV;
	emit(&report);
	return report.refusal.error;
}

/* Deny for what a parent directory refuses: walk again, for the rule and its layer. */
static __always_inline int deny_parent(struct task *task, const struct sight *sight, __u64 parent,
				       __u64 refused)
{
	walk_from(&task->walks[0], sight, task->refer.mount, parent, refused);
	return deny_refer_walked(task, sight, refused);
}

static __noinline int deny_gain(struct task *task, const struct sight *sight)
{
	struct report report = {};

	begin_report(&report, task, sight);
	report.refusal.layer = task->walks[1].decision.layer;
	report.refusal.reason = REASON_REFER;
	report.refusal.refused = MASK(ACTION_REFER);
	report.refusal.error = -EXDEV;
	emit(&report);
	return -EXDEV;
}

static __noinline int deny_seals(struct task *task, const struct sight *sight, __u32 sealed)
{
	struct report report = {};

	begin_report(&report, task, sight);
	report.refusal.object = task->walks[0].key.object;
	report.refusal.layer = lowest_layer(sealed);
	report.refusal.reason = REASON_SEALED;
	report.refusal.refused = task->refer.leaves | task->refer.arrives;
	report.refusal.error = -EACCES;
	emit(&report);
	return -EACCES;
}

/* Whether an object gains a right by going from where it is into a directory. */
__noinline int gains(struct task *task, const struct sight *sight, __u64 mount, __u64 object,
		     __u64 directory)
{
	struct dentry *dentry = CAST(struct dentry, object);
	struct inode *inode = dentry->d_inode;
	__u64 scope;

	if (!inode || !task || !sight)
		return 1;
	scope = S_ISDIR(inode->i_mode) ? ~0ULL : ACTIONS_OF_FILES;
	/* Nothing refused at the source, by a walk that is mostly remembered: nothing to gain. */
	if (!(refused_object(task, sight, mount, dentry) & scope))
		return 0;
	walk_from(&task->walks[0], sight, mount, object, ~0ULL);
	walk_from(&task->walks[1], sight, mount, directory, ~0ULL);
	return decide_gain(&task->walks[0].decision, &task->walks[1].decision, scope);
}

/* Ask one domain for a link or rename. */
__noinline int refer_domain(struct task *task, __u32 domain)
{
	__u64 leaves, arrives, old_refused, new_refused;
	__u32 sealed = 0;
	struct sight *sight;
	struct refer *refer;
	_Bool across;

	if (!task)
		return -EACCES;
	sight = &task->sight;
	if (!see(sight, domain))
		return 0;
	refer = &task->refer;
	leaves = refer->leaves;
	arrives = refer->arrives;
	across = refer->old_parent != refer->new_parent;
	if (refer->removes) {
		sealed = seal_of(task, sight, CAST(struct dentry, refer->old_dentry));
		if (!sealed)
			sealed = seal_of(task, sight, CAST(struct dentry, refer->new_dentry));
	}
	if (sealed)
		return deny_seals(task, sight, sealed);
	if (across) {
		leaves |= MASK(ACTION_REFER);
		arrives |= MASK(ACTION_REFER);
	}
	old_refused =
		refused_beneath(task, sight, refer->mount, CAST(struct dentry, refer->old_parent)) &
		leaves;
	if (old_refused & ~MASK(ACTION_REFER))
		return deny_parent(task, sight, refer->old_parent, old_refused);
	new_refused =
		refused_beneath(task, sight, refer->mount, CAST(struct dentry, refer->new_parent)) &
		arrives;
	if (new_refused & ~MASK(ACTION_REFER))
		return deny_parent(task, sight, refer->new_parent, new_refused);
	if (!across)
		return 0;
	if (old_refused)
		return deny_parent(task, sight, refer->old_parent, old_refused);
	if (new_refused)
		return deny_parent(task, sight, refer->new_parent, new_refused);
	if (gains(task, sight, refer->mount, refer->old_dentry, refer->new_parent) ||
	    (refer->exchange &&
	     gains(task, sight, refer->mount, refer->new_dentry, refer->old_parent)))
		return deny_gain(task, sight);
	return 0;
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
	new_parent = new_dir->dentry;
	mount = real_mount(new_dir->mnt);
	if (!is_ruled(new_parent->d_sb, new_parent->d_inode))
		return 0;
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
	if (subject.cgroup)
		error = refer_domain(subject.task, subject.cgroup);
	if (!error && subject.process)
		error = refer_domain(subject.task, subject.process);
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
