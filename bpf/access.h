/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One access: asked of each domain of the current task, and reported where denied.
 */
#ifndef LANDLOCK_BPF_ACCESS_H
#define LANDLOCK_BPF_ACCESS_H

#include "emit.h"
#include "remember.h"

/* One access as a hook sees it. */
struct access {
	__u64 mount;  /* struct mount */
	__u64 dentry; /* the object asked */
	__u64 target; /* the dentry that an event names: the object, or what lies in it */
	__u64 asked;
	__u64 optional; /* rights to keep with an open file if refused, no reason to deny */
	__u32 hook;
	__u32 removes; /* whether target goes away or is replaced */
};

/* Report what the walk that was just done refused. */
static __noinline int deny_walked(struct task *task, const struct sight *sight,
				  const struct access *access, __u64 refused)
{
	struct decision *decision = &task->walks[0].decision;
	struct report report = {
		.mount = access->mount,
		.dentry = access->target,
		.refusal = { .refused = refused,
			     .serial = sight->serial,
			     .object = decision->object,
			     .domain = sight->domain,
			     .layer = decision->layer,
			     .hook = access->hook,
			     .reason = decision->reason,
			     .error = -EACCES },
	};

	emit(&report);
	return -EACCES;
}

/* The layers in which an object is sealed; what cannot be named may be a sealed one. */
static __always_inline __u32 seal_of(struct task *task, const struct sight *sight,
				     struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;
	struct rule *rule, *beneath;

	if (!inode)
		return 0;
	task->walks[0].unnamed = 0;
	rule = rule_of(&task->walks[0], sight->index, inode, inode->i_sb, &beneath);
	if (task->walks[0].unnamed)
		return 1;
	return (rule ? rule->sealed : 0) | (beneath ? beneath->sealed : 0);
}

static __always_inline __u32 lowest_layer(__u32 mask)
{
	for_each_layer(layer, LIMIT_LAYERS) {
		if (mask & (1U << layer))
			return layer;
	}
	return 0;
}

/* Deny the removal or replacement of an object that has a denial, or lies on the way to one. */
static __noinline int deny_seal(struct task *task, const struct sight *sight,
				const struct access *access, __u32 sealed)
{
	struct report report = {
		.mount = access->mount,
		.dentry = access->target,
		.refusal = { .refused = access->asked,
			     .serial = sight->serial,
			     .object = task->walks[0].key.object,
			     .domain = sight->domain,
			     .layer = lowest_layer(sealed),
			     .hook = access->hook,
			     .reason = REASON_SEALED,
			     .error = -EACCES },
	};

	emit(&report);
	return -EACCES;
}

/* Ask one domain for an access. */
__noinline int ask_domain(struct task *task, __u32 domain, struct access *access)
{
	struct sight *sight;
	__u64 refused;
	__u32 sealed;

	if (!task || !access)
		return -EACCES;
	sight = &task->sight;
	if (!see(sight, domain))
		return 0;
	if (access->removes) {
		sealed = seal_of(task, sight, CAST(struct dentry, access->target));
		if (sealed)
			return deny_seal(task, sight, access, sealed);
	}
	if (!((access->asked | access->optional) & sight->handled_any))
		return 0;
	refused = refused_object(task, sight, access->mount, CAST(struct dentry, access->dentry));
	if (refused & access->asked) {
		/* Walk again, for these actions alone: now the rule and its layer are wanted. */
		refused &= access->asked;
		walk_from(&task->walks[0], sight, access->mount, access->dentry, refused);
		return deny_walked(task, sight, access, refused);
	}
	refused &= access->optional;
	if (!refused)
		return 0;
	walk_from(&task->walks[0], sight, access->mount, access->dentry, refused);
	task->kept.refused |= refused;
	task->kept.serial = sight->serial;
	task->kept.object = task->walks[0].decision.object;
	task->kept.domain = domain;
	task->kept.layer = task->walks[0].decision.layer;
	return 0;
}

/* Ask all domains of the current task. Cgroup domains first: theirs is the wider net. */
static __always_inline int ask(struct subject *subject, struct access *access)
{
	int error = 0;

	if (subject->cgroup)
		error = ask_domain(subject->task, subject->cgroup, access);
	if (!error && subject->process)
		error = ask_domain(subject->task, subject->process, access);
	return error;
}

#endif
