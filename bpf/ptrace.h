/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hook bodies for ptrace(2), and for all that asks the same of the kernel, as
 * /proc/PID/mem: a tracee must be in all domains of its tracer. Else a sandboxed process
 * would have another one act for it.
 */
#ifndef LANDLOCK_BPF_PTRACE_H
#define LANDLOCK_BPF_PTRACE_H

#include "leaving.h"

/* The domains of a task, 0 for none; own: its storage, or NULL. */
static __always_inline void find_domains(struct subject *subject, struct task_struct *task,
					 const struct task *own)
{
	struct state *state = the_state();

	*subject = (struct subject){};
	if (own)
		subject->process = own->domain;
	if (!state)
		return;
	subject->cgroup = cgroup_domain(task, state);
	subject->held = state->escaped ? held_domain(task) : 0;
}

/* The same of a task that may be a stranger, drawn into its cgroup's domain by a member. */
static __always_inline void find_trusted(struct subject *subject, struct task_struct *task)
{
	struct task *own = bpf_task_storage_get(&tasks, task, NULL, 0);

	find_domains(subject, task, own);
	if (is_drawn(task, own))
		subject->cgroup = subject->held = 0;
}

/* Whether a subject is in a domain, or in one that was made in it. */
static __always_inline _Bool is_within(const struct subject *subject, __u32 domain)
{
	return is_inside(subject->process, domain) || is_inside(subject->cgroup, domain) ||
	       is_inside(subject->held, domain);
}

static __noinline int ask_ptrace(__u32 hook, struct task_struct *tracer, struct task_struct *tracee,
				 _Bool quiet)
{
	struct report report = { .refusal = { .hook = hook, .reason = REASON_PTRACE } };
	struct subject above, below;
	int error;

	find_domains(&above, tracer, bpf_task_storage_get(&tasks, tracer, NULL, 0));
	if (!above.process && !above.cgroup && !above.held)
		return 0;
	find_trusted(&below, tracee);
	for_each_domain(domain, &above)
	{
		if (is_within(&below, domain))
			continue;
		error = refuse_in(domain, &report, quiet);
		if (error)
			return error;
	}
	return 0;
}

static __always_inline int on_ptrace_access_check(struct task_struct *child, unsigned int mode)
{
	return ask_ptrace(HOOK_PTRACE_ACCESS_CHECK, bpf_get_current_task_btf(), child,
			  mode & PTRACE_MODE_NOAUDIT);
}

static __always_inline int on_ptrace_traceme(struct task_struct *parent)
{
	return ask_ptrace(HOOK_PTRACE_TRACEME, parent, bpf_get_current_task_btf(), 0);
}

#endif
