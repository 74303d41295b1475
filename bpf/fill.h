/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Filling: rules put on objects, and marks announced.
 *
 * Before a key is there, its bit of the filter is set, without which no hook looks it up, and
 * its filesystem is noted, with which on_sb_delete() ends it. Only the controller runs this, and
 * it holds its lock: nobody else sets bits.
 */
#ifndef LANDLOCK_BPF_FILL_H
#define LANDLOCK_BPF_FILL_H

#include "decide.h"
#include "maps.h"

static __always_inline int announce_object(const struct object *object, __u32 ruleset)
{
	__u64 bit = filter_bit(object->ino, ruleset);
	__u32 word = bit >> 6, dev = object->dev, noted = 1;
	__u64 *bits = bpf_map_lookup_elem(&filter, &word);

	if (!bits)
		return -EINVAL;
	*bits |= 1ULL << (bit & 63);
	if (bpf_map_lookup_elem(&superblocks, &dev))
		return 0;
	return bpf_map_update_elem(&superblocks, &dev, &noted, BPF_ANY);
}

/* Announce objects that follow one another in user space, and put a rule on each, if any. */
static __always_inline int fill_objects(__u64 address, __u32 count, __u32 ruleset,
					const struct rule *rule)
{
	struct fsview_key key = { .ruleset = ruleset };
	struct bpf_iter_num objects;
	int error;

	error = bpf_iter_num_new(&objects, 0, count);
	while (!error && bpf_iter_num_next(&objects)) {
		error = bpf_copy_from_user(&key.object, sizeof(key.object), (void *)address);
		if (!error)
			error = announce_object(&key.object, ruleset);
		if (!error && rule)
			error = bpf_map_update_elem(&fsview, &key, rule, BPF_ANY);
		address += sizeof(key.object);
	}
	bpf_iter_num_destroy(&objects);
	return error;
}

/* Put all rules of a ruleset on their objects, or say why not: then some may be there. */
static __always_inline int fill_rules(const struct filling *told)
{
	__u64 run_at = told->runs, object = told->objects;
	struct bpf_iter_num numbers;
	struct rule_run run;
	int error;

	error = bpf_iter_num_new(&numbers, 0, told->count);
	while (!error && bpf_iter_num_next(&numbers)) {
		error = bpf_copy_from_user(&run, sizeof(run), (void *)run_at);
		if (!error)
			error = fill_objects(object, run.objects, told->ruleset, &run.rule);
		run_at += sizeof(run);
		object += (__u64)run.objects * sizeof(struct object);
	}
	bpf_iter_num_destroy(&numbers);
	return error;
}

/* Announce the objects of marks: their ruleset is the low word of the serial number of a set. */
static __always_inline int announce_marks(const struct filling *told)
{
	return fill_objects(told->objects, told->count, told->ruleset, NULL);
}

#endif
