/* SPDX-License-Identifier: GPL-2.0-only */
/* The engine's maps: what user space fills, and what tasks remember. */
#ifndef LANDLOCK_BPF_MAPS_H
#define LANDLOCK_BPF_MAPS_H

#include "abi.h"
#include "kernel.h"

/* What the rules of a ruleset say of an object. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LIMIT_OBJECTS);
	__type(key, struct fsview_key);
	__type(value, struct rule);
} fsview SEC(".maps");

/* What the rules of a ruleset say of paths that need not exist. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LIMIT_NAMES);
	__type(key, struct name_key);
	__type(value, struct rule);
} names SEC(".maps");

/* Patterns of names, by ruleset and number. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LIMIT_NAMES);
	__type(key, struct pattern_key);
	__type(value, struct pattern);
} patterns SEC(".maps");

/* The class of an ioctl command that rules of a ruleset name; no entry: none does. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LIMIT_COMMANDS);
	__type(key, struct command_key);
	__type(value, __u32);
} commands SEC(".maps");

/* One bit for each hash of a key in fsview: a clear bit spares the look-up. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << (LIMIT_FILTER_BITS - 6));
	__type(key, __u32);
	__type(value, __u64);
} filter SEC(".maps");

/* The marks of objects in the fsviews of rule programs. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LIMIT_MARKED);
	__type(key, struct view_key);
	__type(value, struct view_marks);
} views SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LIMIT_RULESETS);
	__type(key, __u32);
	__type(value, struct ruleset);
} rulesets SEC(".maps");

/* Domain 0 is none. The store to .ruleset puts a domain in force, replaces it, ends it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LIMIT_DOMAINS + 1);
	__type(key, __u32);
	__type(value, struct domain);
} domains SEC(".maps");

/*
 * From the id of each cgroup in a domain, nested ones too, to the domain.
 *
 * Not cgroup storage: bpf_cgrp_storage_get() answers NULL as well when another
 * task was preempted inside it, and "no domain" would let that access through.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LIMIT_CGROUPS);
	__type(key, __u64);
	__type(value, __u32);
} cgroups SEC(".maps");

/* Spares nearly all tasks, in a domain or in none, the look-up in cgroups. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct marks);
} marks SEC(".maps");

/* Of tasks in a process domain, and those that were moved between cgroups by members of one. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task);
} tasks SEC(".maps");

/*
 * By process id (of a thread, in the first pid namespace). Its memory is there from the beginning:
 * see leaving.h.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LIMIT_DEPARTED);
	__type(key, __u32);
	__type(value, struct departed);
} departures SEC(".maps");

/* Of tasks that had to be walked for. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct room);
} rooms SEC(".maps");

/* By the place of walked_slot(): what one task's walk has found out is true for all. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LIMIT_WALKED);
	__type(key, __u32);
	__type(value, struct walked);
} remembered SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct moves);
} moves SEC(".maps");

/* Rights refused at open, by the address of the struct file; no entry: none refused. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LIMIT_OPENED);
	__type(key, __u64);
	__type(value, struct opened);
} opened SEC(".maps");

/* The s_dev of each filesystem that has rules. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LIMIT_DOMAINS *LIMIT_LAYERS);
	__type(key, __u32);
	__type(value, __u32);
} superblocks SEC(".maps");

/* The credentials with which a mounted overlayfs does things by itself, by address: its s_dev. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LIMIT_CREATORS);
	__type(key, __u64);
	__type(value, __u32);
} creators SEC(".maps");

/* By domain. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LIMIT_DOMAINS + 1);
	__type(key, __u32);
	__type(value, struct rate);
} rates SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} denials SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct state);
} state SEC(".maps");

/* What user space asks of the program explain, and room to work in. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct explaining);
} explaining SEC(".maps");

/* The same of the program judge. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct judging);
} judging SEC(".maps");

/* The one entry of state; an array look-up with a constant key is a plain address. */
static __always_inline struct state *the_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&state, &zero);
}

static __always_inline __u64 *mark_of(__u64 cgroup)
{
	__u32 zero = 0;
	struct marks *all = bpf_map_lookup_elem(&marks, &zero);

	return all ? &all->word[cgroup & (LIMIT_MARKS - 1)] : NULL;
}

/* The domain of a cgroup, 0 for none. */
static __always_inline __u32 domain_of(__u64 cgroup)
{
	__u64 *mark = mark_of(cgroup);
	__u64 word = mark ? *(volatile __u64 *)mark : ~0ULL;
	__u32 *domain;

	if (!word)
		return 0;
	if (word >> LIMIT_MARK_BITS == (cgroup & (~0ULL >> LIMIT_MARK_BITS)))
		return word & ((1U << LIMIT_MARK_BITS) - 1);
	domain = bpf_map_lookup_elem(&cgroups, &cgroup);
	return domain ? *domain : 0;
}

#endif
