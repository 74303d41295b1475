/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Leaving a cgroup. Whoever is in the domain of a cgroup cannot open what would move him out
 * of it (vital.h); with a descriptor that he has from before he can be moved, and stays in the
 * domain all the same: he is held. Who is moved by somebody outside leaves the domain, unless
 * it is sticky.
 */
#ifndef LANDLOCK_BPF_LEAVING_H
#define LANDLOCK_BPF_LEAVING_H

#include "escape.h"

#define CGROUP_DEPTH 1024

/* In its parent, a node is named by __parent since 6.15. */
static __always_inline struct kernfs_node *parent_node(struct kernfs_node *node)
{
	if (bpf_core_field_exists(struct kernfs_node___plain, parent))
		return CAST(struct kernfs_node___plain, node)->parent;
	return CAST(struct kernfs_node___rcu, node)->__parent;
}

struct ascent {
	__u64 node;
	__u64 id;
	__u32 found;
	__u32 pad;
};

static long ascend(__u32 index, struct ascent *ascent)
{
	struct kernfs_node *node = CAST(struct kernfs_node, ascent->node);

	if (node->id == ascent->id) {
		ascent->found = 1;
		return 1;
	}
	ascent->node = (__u64)parent_node(node);
	return !ascent->node;
}

/* Whether a directory of cgroupfs is that of a cgroup, by its id, or lies beneath it. */
static __noinline _Bool is_beneath(struct kernfs_node *node, __u64 id)
{
	struct ascent ascent = { .node = (__u64)node, .id = id };

	bpf_loop(CGROUP_DEPTH, ascend, &ascent, 0);
	return ascent.found;
}

/* Whether a place is outside of a domain of a cgroup; nothing is outside of none. */
static __always_inline _Bool is_outside(struct kernfs_node *node, __u32 domain)
{
	struct domain *entry = domain ? bpf_map_lookup_elem(&domains, &domain) : NULL;

	return entry && entry->kind == KIND_CGROUP && !is_beneath(node, entry->cgroup);
}

/*
 * Keep what must be known of a task that is moved where it can have no storage right now: for lack
 * of memory, or since another task was preempted while it made its own. Where there is no room
 * either, who moves or makes it is killed; the task itself gets away.
 */
static __noinline void keep_departed(struct task_struct *task, __u64 held, __u32 drawn)
{
	struct departed departed = { .start = task->start_boottime, .held = held, .drawn = drawn };
	struct departed *before = departed_of(task);
	struct state *state = the_state();
	__u32 pid = task->pid;

	if (before) {
		if (!held)
			departed.held = before->held;
		departed.drawn |= before->drawn;
	}
	if (!state || bpf_map_update_elem(&departures, &pid, &departed, BPF_ANY)) {
		bpf_send_signal(SIGKILL);
		return;
	}
	__sync_fetch_and_add(&state->departed, 1);
	__sync_fetch_and_add(&state->escaped, 1);
}

struct departure {
	__u32 member; /* the domains of who moves, by his cgroup and held */
	__u32 held;
	__u32 process; /* that of his process, which says nothing of cgroups */
	__u32 arrives; /* the domain of the cgroup he moves to */
	__u32 escapes;
};

/* Whether who moves is bound by nothing. */
static __always_inline _Bool is_free(const struct departure *departure)
{
	return !(departure->member | departure->held | departure->process);
}

/*
 * Whether a task in these domains, that of its cgroup and that of its process, is a stranger to
 * who moves it: but not where it is drawn nowhere. A global function: see walk_up().
 */
__noinline int is_stranger(struct departure *departure, __u32 domain, __u32 process)
{
	if (!departure)
		return 1;
	if (departure->member | departure->held)
		return (departure->member && !is_inside(domain, departure->member)) ||
		       (departure->held && !is_inside(domain, departure->held));
	return departure->arrives && !is_inside(domain, departure->arrives) &&
	       !is_inside(process, departure->process);
}

/*
 * Who moves a stranger into his domain must not trace him there for that: what the stranger
 * holds comes from outside. Only who is in no domain makes a true member of him.
 */
static __always_inline void draw(struct state *state, struct task_struct *task, struct task *own,
				 __u32 domain, struct departure *departure)
{
	struct departed *departed = departed_of(task);

	if (is_free(departure)) {
		if (own)
			own->drawn = 0;
		if (departed)
			departed->drawn = 0;
		return;
	}
	if (!is_stranger(departure, domain, own ? own->domain : 0))
		return;
	own = bpf_task_storage_get(&tasks, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!own) {
		keep_departed(task, 0, 1);
		return;
	}
	own->drawn = 1;
	__sync_fetch_and_add(&state->escaped, 1);
}

/* Hold a task that is held already in the domain of another cgroup, or, by 0, let it go. */
static __always_inline void hold_in(struct task *own, struct departed *departed, __u64 group)
{
	if (own)
		own->held = group;
	if (departed)
		departed->held = group;
}

/* The cgroup of a domain that is around another one, and 0 of one that is not. */
static __always_inline __u64 group_around(__u32 domain, __u32 around)
{
	struct domain *entry;

	if (!is_inside(domain, around))
		return 0;
	entry = bpf_map_lookup_elem(&domains, &around);
	return entry ? entry->cgroup : 0;
}

/* Hold a task that is about to be moved, or let it go. */
static __noinline void depart(struct task_struct *task, struct departure *departure)
{
	struct task *own = bpf_task_storage_get(&tasks, task, NULL, 0);
	struct departed *departed = departed_of(task);
	struct state *state = the_state();
	struct domain *entry;
	__u32 domain, held;
	_Bool stays;
	__u64 group;

	if (!state)
		return;
	group = own && own->held ? own->held : departed ? departed->held : 0;
	held = group ? domain_of(group) : 0;
	/*
	 * The domain has ended, or he has come back, and his cgroup keeps him in it again. Not on
	 * his way back: until he is there he would be in neither, and his threads run meanwhile.
	 */
	if (group && (!held || is_inside(cgroup_domain(task, state), held))) {
		hold_in(own, departed, 0);
		held = 0;
	}
	domain = held ? held : cgroup_domain(task, state);
	draw(state, task, own, domain, departure);
	entry = domain ? bpf_map_lookup_elem(&domains, &domain) : NULL;
	if (!entry)
		return;
	stays = departure->escapes || (entry->sticky && departure->arrives != domain) ||
		(departure->process && !is_inside(departure->arrives, domain));
	if (!stays) {
		/* Only who is outside lets somebody go, but not from what keeps him there, too. */
		if (is_free(departure) && !is_inside(departure->arrives, held))
			hold_in(own, departed, group_around(held, departure->arrives));
		return;
	}
	if (held)
		return;
	own = bpf_task_storage_get(&tasks, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!own) {
		keep_departed(task, entry->cgroup, 0);
		return;
	}
	own->held = entry->cgroup;
	__sync_fetch_and_add(&state->escaped, 1);
}

/* Before the kernel moves a task, or all of its process. */
static __always_inline int on_cgroup_attach_task(struct cgroup *dst_cgrp,
						 struct task_struct *leader, _Bool threadgroup)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct task_struct *thread, *process;
	struct departure departure = {};
	struct state *state = the_state();
	struct bpf_iter_task threads;
	struct task *own;
	__u64 id;

	/* Of the hierarchies of cgroup v1 domains know nothing. */
	if (!state || dst_cgrp->root != current->cgroups->dfl_cgrp->root)
		return 0;
	id = dst_cgrp->kn->id;
	departure.arrives = domain_of(id);
	departure.member = cgroup_domain(current, state);
	if (state->escaped)
		departure.held = held_domain(current);
	if (state->process_domains) {
		own = bpf_task_storage_get(&tasks, current, NULL, 0);
		departure.process = own ? own->domain : 0;
	}
	departure.escapes = is_outside(dst_cgrp->kn, departure.member) ||
			    is_outside(dst_cgrp->kn, departure.held);
	if (!threadgroup) {
		depart(leader, &departure);
		return 0;
	}
	process = bpf_task_from_pid(leader->pid); /* the verifier does not trust the argument */
	if (!process)
		return 0;
	bpf_iter_task_new(&threads, process, BPF_TASK_ITER_PROC_THREADS);
	while ((thread = bpf_iter_task_next(&threads)))
		depart(thread, &departure);
	bpf_iter_task_destroy(&threads);
	bpf_task_release(process);
	return 0;
}

/* Refuse to make a child elsewhere: where, is not to be seen. */
static __always_inline int refuse_clone(void)
{
	struct report report = { .refusal = { .hook = HOOK_TASK_ALLOC, .reason = REASON_DOMAIN } };
	struct subject subject;
	int error = 0;

	if (!find_subject(&subject))
		return 0;
	if (subject.cgroup)
		error = refuse_in(subject.cgroup, &report, 0);
	if (!error && subject.held)
		error = refuse_in(subject.held, &report, 0);
	return error;
}

/* A child begins in its parent's domains; one that cannot be put there is not made. */
static __always_inline int on_task_alloc(struct task_struct *child, unsigned long clone_flags)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct state *state = the_state();
	struct task *parent, *task;
	struct domain *entry;
	__u32 domain, drawn;
	__u64 held;
	int error;

	if (clone_flags & CLONE_INTO_CGROUP) {
		error = refuse_clone();
		if (error)
			return error;
	}
	if (!state)
		return -ENOMEM;
	if (!state->process_domains && !state->escaped)
		return 0;
	parent = bpf_task_storage_get(&tasks, current, NULL, 0);
	domain = parent ? parent->domain : 0;
	drawn = is_drawn(current, parent);
	held = state->escaped ? held_cgroup(current) : 0;
	if (!domain && !held && !drawn)
		return 0;
	/*
	 * Counted first: who scans for the last task of a domain must not miss this one. In slot 0
	 * are counted those that are in no process domain, and held or drawn.
	 */
	entry = bpf_map_lookup_elem(&domains, &domain);
	if (entry)
		__sync_fetch_and_add(&entry->forks, 1);
	task = bpf_task_storage_get(&tasks, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!task)
		return -ENOMEM;
	task->domain = domain;
	task->drawn = drawn;
	task->held = held;
	return 0;
}

/*
 * A child is where its parent is: on_task_alloc() has seen to it, unless the parent was put
 * into a domain, or moved out of a cgroup, while the child was made. It has not run yet.
 */
static __always_inline int on_task_newtask(struct task_struct *child, unsigned long clone_flags)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct state *state = the_state();
	struct task *parent, *task;
	struct domain *entry;
	__u32 domain, drawn;
	__u64 held;

	if (!state || (!state->process_domains && !state->escaped))
		return 0;
	parent = bpf_task_storage_get(&tasks, current, NULL, 0);
	domain = parent ? parent->domain : 0;
	held = state->escaped ? held_cgroup(current) : 0;
	drawn = is_drawn(current, parent);
	if (!domain && !held && !drawn)
		return 0;
	task = bpf_task_storage_get(&tasks, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!task) {
		/* A process domain that its parent came to meanwhile is too late for it. */
		if (held || drawn)
			keep_departed(child, held, drawn);
		return 0;
	}
	/* It may have been moved itself by now. */
	if (held)
		task->held = held;
	if (drawn)
		task->drawn = drawn;
	entry = bpf_map_lookup_elem(&domains, &domain);
	if (task->domain == domain || !entry)
		return 0;
	__sync_fetch_and_add(&entry->forks, 1);
	task->domain = domain;
	return 0;
}

#endif
