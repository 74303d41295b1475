/* SPDX-License-Identifier: GPL-2.0-only */
/* decide.h as a host library: tells the steps of a made-up walk to it, as walk.h does for a real
 * one. */
#include "decide.h"

enum step_kind {
	STEP_OBJECT,
	STEP_HIDDEN,
	STEP_OWN_BEGIN,
	STEP_OWN,
};

__u64 walk_steps(struct decision *decision, const struct ruleset *ruleset, __u64 asked,
		 const __u32 *kinds, const struct rule *rules, __u32 count, __u32 lost)
{
	static const struct object nowhere;
	__u32 pending = decide_begin(decision, ruleset, asked);

	for (__u32 i = 0; i < count && pending; i++) {
		switch (kinds[i]) {
		case STEP_OBJECT:
			pending = decide_object(decision, &rules[i], &nowhere);
			break;
		case STEP_HIDDEN:
			decide_hidden(decision, &rules[i], &nowhere, REASON_RULE);
			break;
		case STEP_OWN_BEGIN:
			decide_own_begin(decision);
			break;
		case STEP_OWN:
			decide_own(decision, &rules[i], &nowhere, REASON_RULE);
			break;
		}
	}
	if (lost)
		decide_lost(decision, lost);
	else
		decide_end(decision, ruleset);
	return decide_refused(decision);
}

__u64 bit(__u64 ino, __u32 ruleset)
{
	return filter_bit(ino, ruleset);
}

__u32 gain(const struct decision *source, struct decision *destination, __u64 scope, __u32 skip)
{
	return decide_gain(source, destination, scope, skip);
}

/* As hash_bytes() in names.h. */
__u64 hash(const char *name, __u32 length)
{
	__u64 hash = HASH_SEED;

	for (__u32 i = 0; i < length; i += sizeof(hash)) {
		__u64 word = 0;

		__builtin_memcpy(&word, name + i,
				 length - i < sizeof(word) ? length - i : sizeof(word));
		hash = hash_word(hash, word);
	}
	return hash_end(hash, length);
}

__u64 mix(__u64 hash, __u64 name)
{
	return mix_name(hash, name);
}
