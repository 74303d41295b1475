/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hook bodies for ptrace(2), and for all that asks the same of the kernel, as
 * /proc/PID/mem: a tracee must be in all domains of its tracer. Else a sandboxed process
 * would have another one act for it.
 */
#ifndef LANDLOCK_BPF_PTRACE_H
#define LANDLOCK_BPF_PTRACE_H

#include "escape.h"

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

static __noinline int ask_ptrace(__u32 hook, struct task_struct *tracer, struct task_struct *tracee,
				 _Bool quiet)
{
	struct report report = { .refusal = { .hook = hook, .reason = REASON_PTRACE } };
	struct subject above, below;
	struct task *own;
	int error;

	find_domains(&above, tracer, bpf_task_storage_get(&tasks, tracer, NULL, 0));
	if (!above.process && !above.cgroup && !above.held)
		return 0;
	own = bpf_task_storage_get(&tasks, tracee, NULL, 0);
	find_domains(&below, tracee, own);
	if (is_drawn(tracee, own))
		below.cgroup = below.held = 0;
	for_each_domain(domain, &above)
	{
		if (is_inside(below.process, domain) || is_inside(below.cgroup, domain) ||
		    is_inside(below.held, domain))
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
