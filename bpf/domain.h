/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which domains a task is in: its own, which it inherits and keeps, its cgroup's,
 * and that of a cgroup which it left by itself. All must allow.
 */
#ifndef LANDLOCK_BPF_DOMAIN_H
#define LANDLOCK_BPF_DOMAIN_H

#include "walk.h"

#define CGROUP_LEVELS (1 << 16) /* no cgroup is that deep: each takes a directory */

/* Who asks: its domains, 0 for none. */
struct subject {
	__u32 process;
	__u32 cgroup;
	__u32 held; /* it is no longer in the cgroup, but stays in the domain: see leaving.h */
};

#define SUBJECT_DOMAINS 3

/* The domains of a subject by number, 0 for none; that of its cgroup first: it is the wider net. */
static __always_inline __u32 nth_domain(const struct subject *subject, __u32 number)
{
	return number == 0 ? subject->cgroup : number == 1 ? subject->process : subject->held;
}

#define for_each_domain(domain, subject)                                   \
	_Pragma("unroll") for (__u32 number_ = 0, domain;                  \
			       number_ < SUBJECT_DOMAINS &&                \
			       (domain = nth_domain(subject, number_), 1); \
			       number_++) if (domain)

struct climb {
	__u64 css;
	__u32 domain;
};

static long climb_cgroup(__u32 index, struct climb *climb)
{
	struct cgroup *cgroup = CAST(struct cgroup, climb->css); /* self is its first member */
	__u64 id = cgroup->kn->id;

	climb->domain = domain_of(id);
	if (climb->domain)
		return 1;
	climb->css = (__u64)cgroup->self.parent;
	return !climb->css;
}

/* The domain of the nearest ancestor: asked only after a cgroup could not be recorded. */
static __noinline __u32 ancestor_domain(struct cgroup *cgroup)
{
	struct climb climb = { .css = (__u64)cgroup };

	bpf_loop(CGROUP_LEVELS, climb_cgroup, &climb, 0);
	return climb.domain;
}

/* The domain of a task's cgroup, 0 for none. */
static __always_inline __u32 cgroup_domain(struct task_struct *task, const struct state *state)
{
	struct cgroup *cgroup = task->cgroups->dfl_cgrp;
	__u64 id = cgroup->kn->id;
	__u32 domain = domain_of(id);

	return !domain && state->orphans ? ancestor_domain(cgroup) : domain;
}

/* What is kept of a task that could have no storage when it was moved, or NULL. */
static __always_inline struct departed *departed_of(struct task_struct *task)
{
	struct state *state = the_state();
	struct departed *departed;
	__u32 pid = task->pid;

	if (!state || !state->departed)
		return NULL;
	departed = bpf_map_lookup_elem(&departures, &pid);
	return departed && departed->start == task->start_boottime ? departed : NULL;
}

/* Whether a member of its cgroup's domain put a task there; own: its storage, or NULL. */
static __always_inline _Bool is_drawn(struct task_struct *task, const struct task *own)
{
	struct departed *departed = departed_of(task);

	return (own && own->drawn) || (departed && departed->drawn);
}

/*
 * The cgroup that a task left by itself, and in whose domain it stays; 0: none. A thread that
 * was made while its process left knows it of the process alone.
 */
static __noinline __u64 held_cgroup(struct task_struct *task)
{
	struct task *own = bpf_task_storage_get(&tasks, task, NULL, 0);
	struct departed *departed;

	if (own && own->held)
		return own->held;
	departed = departed_of(task);
	if (departed && departed->held)
		return departed->held;
	own = bpf_task_storage_get(&tasks, task->group_leader, NULL, 0);
	if (own && own->held)
		return own->held;
	departed = departed_of(task->group_leader);
	return departed ? departed->held : 0;
}

/* The domain of a cgroup that a task left by itself, 0 for none. */
static __always_inline __u32 held_domain(struct task_struct *task)
{
	__u64 held = held_cgroup(task);

	return held ? domain_of(held) : 0;
}

/* Whether a domain is another one, or was made in it. A global function: see walk_up(). */
__noinline int is_inside(__u32 domain, __u32 around)
{
	struct domain *entry;

	for (__u32 depth = 0; depth <= LIMIT_LAYERS && domain; depth++) {
		if (domain == around)
			return 1;
		entry = bpf_map_lookup_elem(&domains, &domain);
		domain = entry ? entry->parent : 0;
	}
	return 0;
}

/* Find who asks. Returns whether it is in any domain. */
static __always_inline _Bool find_subject(struct subject *subject)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct state *state = the_state();
	struct task *own;

	*subject = (struct subject){};
	if (!state)
		return 0; /* cannot be: an array has all of its entries */
	subject->cgroup = cgroup_domain(current, state);
	if (state->process_domains) {
		own = bpf_task_storage_get(&tasks, current, NULL, 0);
		subject->process = own ? own->domain : 0;
	}
	if (state->escaped)
		subject->held = held_domain(current);
	if (subject->held && is_inside(subject->cgroup, subject->held))
		subject->held = 0; /* it came back */
	return subject->process || subject->cgroup || subject->held;
}

/*
 * Put the iterated thread into the process domain that user space tells, and print whether it is
 * there: it has no storage where there is no memory. Stored in place: what else is kept of the
 * thread may be set at any time, as by depart().
 */
static __always_inline int enter_domain(struct bpf_iter__task *context)
{
	struct task_struct *thread = context->task;
	struct state *state = the_state();
	struct task *own;
	__u32 stored;

	if (!thread || !state)
		return 0;
	own = bpf_task_storage_get(&tasks, thread, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (own)
		own->domain = state->entering;
	stored = own != NULL;
	bpf_seq_write(context->meta->seq, &stored, sizeof(stored));
	return 0;
}

/* Room to work in, NULL where there is no memory: then what is asked is denied. */
static __always_inline struct room *find_room(void)
{
	return bpf_task_storage_get(&rooms, bpf_get_current_task_btf(), NULL,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/* See a ruleset, in force or not; NULL: there is none. */
static __always_inline struct ruleset *see_index(struct sight *sight, __u32 index)
{
	struct ruleset *ruleset = bpf_map_lookup_elem(&rulesets, &index);

	if (!ruleset)
		return NULL;
	sight->index = index;
	sight->serial = ruleset->serial;
	sight->handled_any = ruleset->handled_any;
	sight->lengths = ruleset->lengths;
	sight->tails = ruleset->tails;
	sight->permissive = ruleset->permissive;
	sight->patterns = ruleset->patterns;
	return ruleset;
}

/* See the ruleset that a domain has in force now; NULL: none. */
static __always_inline struct ruleset *see_ruleset(struct sight *sight, __u32 domain)
{
	struct domain *entry;
	__u32 index;

	sight->domain = domain;
	if (!domain)
		return NULL;
	entry = bpf_map_lookup_elem(&domains, &domain);
	if (!entry)
		return NULL; /* cannot be: whoever writes an index checks it against the limit */
	index = *(volatile __u32 *)&entry->ruleset;
	return index ? see_index(sight, index) : NULL;
}

/* Returns whether it has one. */
static __always_inline _Bool see(struct sight *sight, __u32 domain)
{
	return see_ruleset(sight, domain) != NULL;
}

/* Whether a cgroup is of cgroup2: those of version 1 have ids of their own, maybe the same. */
static __always_inline _Bool is_unified(const struct cgroup *cgroup)
{
	return (__u64)cgroup->root == (__u64)bpf_get_current_task_btf()->cgroups->dfl_cgrp->root;
}

/* Hand the domain of a cgroup down to a new one inside it, before any task can enter. */
static __always_inline int on_cgroup_mkdir(struct cgroup *cgroup, const char *path)
{
	struct cgroup_subsys_state *css = cgroup->self.parent;
	struct state *state = the_state();
	__u64 id = cgroup->kn->id, parent_id;
	__u32 inherited;
	__u64 *mark;

	if (!css || !state || !is_unified(cgroup))
		return 0;
	parent_id = CAST(struct cgroup, css)->kn->id;
	inherited = domain_of(parent_id);
	if (!inherited && state->orphans)
		inherited = ancestor_domain(CAST(struct cgroup, css));
	if (!inherited)
		return 0;
	mark = mark_of(id);
	if (bpf_map_update_elem(&cgroups, &id, &inherited, BPF_ANY)) {
		__sync_fetch_and_add(&state->orphans, 1);
		if (mark) /* not recorded: the ancestors are asked, whose domain may change */
			*(volatile __u64 *)mark = ~0ULL;
	} else if (mark) {
		*(volatile __u64 *)mark = id << LIMIT_MARK_BITS | inherited;
	}
	return 0;
}

static __always_inline int on_cgroup_rmdir(struct cgroup *cgroup, const char *path)
{
	struct state *state = the_state();
	__u64 id = cgroup->kn->id;
	__u32 domain = domain_of(id);
	struct domain *entry = bpf_map_lookup_elem(&domains, &domain);

	if (!is_unified(cgroup))
		return 0;
	/* Tasks that left it may be held in its domain, which lasts as long as they do. */
	if (state && state->escaped && entry && entry->cgroup == id)
		return 0;
	bpf_map_delete_elem(&cgroups, &id);
	return 0;
}

#endif
