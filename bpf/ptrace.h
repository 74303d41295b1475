/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hook bodies for ptrace(2), and for all that asks the same of the kernel, as
 * /proc/PID/mem: a tracee must be under all rule programs of its tracer. Else a
 * sandboxed process would have another one act for it.
 */
#ifndef LANDLOCK_BPF_PTRACE_H
#define LANDLOCK_BPF_PTRACE_H

#include "emit.h"

/* The rulesets of a task: its process domain's and its cgroup's. */
struct rulesets_of {
	struct ruleset *process;
	struct ruleset *cgroup;
	struct sight sight; /* of the last one that has rule programs; its index is 0 if none has */
};

static __always_inline struct ruleset *ruleset_of(struct rulesets_of *all, __u32 domain)
{
	struct sight sight;
	struct ruleset *found = see_ruleset(&sight, domain);

	if (!found || !found->programs[0].slot)
		return NULL;
	all->sight = sight;
	return found;
}

static __always_inline void find_rulesets(struct rulesets_of *all, struct task_struct *task)
{
	struct task *own = bpf_task_storage_get(&tasks, task, NULL, 0);
	struct state *state = the_state();

	all->process = ruleset_of(all, own ? own->domain : 0);
	if (state)
		all->cgroup = ruleset_of(all, cgroup_domain(task, state));
}

static __always_inline _Bool has_slot(const struct ruleset *ruleset, __u32 slot)
{
	for (__u32 place = 0; place < LIMIT_LAYERS; place++) {
		if (ruleset->programs[place].slot == slot)
			return 1;
	}
	return 0;
}

/* Whether all rule programs of a ruleset are in one of two others. */
static __noinline int is_within(struct ruleset *inner, struct ruleset *first,
				struct ruleset *second)
{
	__u32 slot;

	for (__u32 place = 0; place < LIMIT_LAYERS; place++) {
		slot = inner->programs[place].slot;
		if (!slot)
			return 1;
		if (!(first && has_slot(first, slot)) && !(second && has_slot(second, slot)))
			return 0;
	}
	return 1;
}

static __always_inline int ask_ptrace(__u32 hook, struct task_struct *tracer,
				      struct task_struct *tracee)
{
	struct rulesets_of above = {}, below = {};

	find_rulesets(&above, tracer);
	if (!above.sight.index)
		return 0;
	find_rulesets(&below, tracee);
	if ((!above.process || is_within(above.process, below.process, below.cgroup)) &&
	    (!above.cgroup || is_within(above.cgroup, below.process, below.cgroup)))
		return 0;

	struct report report = {
		.refusal = { .serial = above.sight.serial,
			     .domain = above.sight.domain,
			     .hook = hook,
			     .reason = REASON_PTRACE,
			     .error = -EPERM },
	};

	emit(&report);
	return -EPERM;
}

static __always_inline int on_ptrace_access_check(struct task_struct *child, unsigned int mode)
{
	return ask_ptrace(HOOK_PTRACE_ACCESS_CHECK, bpf_get_current_task_btf(), child);
}

static __always_inline int on_ptrace_traceme(struct task_struct *parent)
{
	return ask_ptrace(HOOK_PTRACE_TRACEME, parent, bpf_get_current_task_btf());
}

#endif
