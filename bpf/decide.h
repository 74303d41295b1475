/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decision: what the layers of a ruleset say of an access.
 *
 * Pure: no helpers, no maps, no kernel types. The engine walks from an object up
 * to the root and tells each step to these functions; tests build them as a host
 * library and tell them the steps of made-up trees.
 *
 * In each layer the nearest object that has a rule for an action decides; on one
 * object a denial beats a permission. An access stands only if no layer refuses
 * any action asked.
 */
#ifndef LANDLOCK_BPF_DECIDE_H
#define LANDLOCK_BPF_DECIDE_H

#include "abi.h"

#define MASK(action) (1ULL << (action))

/* Rights that make no sense on something that is not a directory. */
#define ACTIONS_OF_DIRECTORIES                                                        \
	(MASK(ACTION_READ_DIR) | MASK(ACTION_REMOVE_DIR) | MASK(ACTION_REMOVE_FILE) | \
	 MASK(ACTION_MAKE_CHAR) | MASK(ACTION_MAKE_DIR) | MASK(ACTION_MAKE_REG) |     \
	 MASK(ACTION_MAKE_SOCK) | MASK(ACTION_MAKE_FIFO) | MASK(ACTION_MAKE_BLOCK) |  \
	 MASK(ACTION_MAKE_SYM) | MASK(ACTION_REFER) | MASK(ACTION_CHDIR) | MASK(ACTION_CHROOT))
#define ACTIONS_OF_FILES (~ACTIONS_OF_DIRECTORIES)

/*
 * Actions that nearly every policy denies everywhere, for they are allowed by rules that name
 * them alone: whoever asks for all actions asks for these by themselves, or each walk would
 * have to go up to the root for them.
 */
#define ACTIONS_WITHHELD (MASK(ACTION_MOUNT) | MASK(ACTION_OPEN_BLOCK))

/* The bit of the filter that must be set where a ruleset may have a rule on an inode number. */
static inline __u64 filter_bit(__u64 ino, __u32 ruleset)
{
	return ((ino + ruleset * 0x9E3779B97F4A7C15ULL) * 0xD6E8FEB86659FD93ULL) >>
	       (64 - LIMIT_FILTER_BITS);
}

/* The hashes of names: landlock_bpf/names.py makes the same. */
#define HASH_SEED 0xcbf29ce484222325ULL
#define HASH_WORD 0x9E3779B97F4A7C15ULL
#define HASH_END  0xD6E8FEB86659FD93ULL

static inline __u64 hash_word(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * HASH_WORD;
	return hash ^ hash >> 29;
}

static inline __u64 hash_end(__u64 hash, __u64 length)
{
	hash = (hash ^ length) * HASH_END;
	return hash ^ hash >> 32;
}

/* Mix the hash of a name into that of the names beneath it, 0 for none. */
static inline __u64 mix_name(__u64 hash, __u64 name)
{
	hash = (hash ^ name) * HASH_WORD;
	return hash ^ hash >> 31;
}

/* Walk over the layers in a way that the verifier can bound. */
#define for_each_layer(layer, count) \
	for (__u32 layer = 0; layer < LIMIT_LAYERS && layer < (count); layer++)

/* Begin to decide the actions in asked. Returns whether any of them is handled. */
static inline __u32 decide_begin(struct decision *decision, const struct ruleset *ruleset,
				 __u64 asked)
{
	__u64 any = 0;

	decision->object = (struct object){};
	decision->layer = 0;
	decision->reason = REASON_NO_RULE;
	decision->layers = ruleset->layers;
	decision->denied = 0;
	for_each_layer(layer, ruleset->layers) {
		decision->pending[layer] =
			decision->skip & (1U << layer) ? 0 : asked & ruleset->handled[layer];
		decision->refused[layer] = 0;
		any |= decision->pending[layer];
	}
	return any != 0;
}

/* Refuse actions in one layer; the first refusal is the one reported. */
static inline void decide_refuse(struct decision *decision, __u32 layer, __u64 actions,
				 __u32 reason, const struct object *object)
{
	if (!decision->denied) {
		decision->denied = 1;
		decision->layer = layer;
		decision->reason = reason;
		if (object)
			decision->object = *object;
	}
	decision->refused[layer] |= actions;
}

/* Ask the rule of the next object upwards. Returns whether anything is still pending. */
static inline __u32 decide_object(struct decision *decision, const struct rule *rule,
				  const struct object *object)
{
	__u64 pending = 0;

	for_each_layer(layer, decision->layers) {
		__u64 denied = decision->pending[layer] & rule->denied[layer];

		if (denied)
			decide_refuse(decision, layer, denied, REASON_RULE, object);
		decision->pending[layer] &= ~(rule->denied[layer] | rule->allowed[layer]);
		pending |= decision->pending[layer];
	}
	return pending != 0;
}

/*
 * Ask a rule that can deny but not permit: that of a directory that something is
 * mounted on, which is not on the way across mounts (nor permits upstream), though
 * a denial put there was meant for the path; that of the real inode beneath one of
 * overlayfs; and that of a name.
 */
static inline void decide_hidden(struct decision *decision, const struct rule *rule,
				 const struct object *object, __u32 reason)
{
	for_each_layer(layer, decision->layers) {
		__u64 denied = decision->pending[layer] & rule->denied[layer];

		if (denied)
			decide_refuse(decision, layer, denied, reason, object);
		decision->pending[layer] &= ~denied;
	}
}

/* Begin on the filesystem's own way, past the root of a mount. */
static inline void decide_own_begin(struct decision *decision)
{
	for_each_layer(layer, decision->layers)
		decision->shaded[layer] = decision->pending[layer];
}

/*
 * Ask the rule of an object on the filesystem's own way: a denial counts unless
 * a permission nearer on that way shades it; a permission grants nothing here.
 */
static inline void decide_own(struct decision *decision, const struct rule *rule,
			      const struct object *object, __u32 reason)
{
	for_each_layer(layer, decision->layers) {
		__u64 denied = decision->shaded[layer] & rule->denied[layer];

		if (denied)
			decide_refuse(decision, layer, denied, reason, object);
		decision->pending[layer] &= ~denied;
		decision->shaded[layer] &= ~(rule->denied[layer] | rule->allowed[layer]);
	}
}

/* End at the root of the namespace: what no rule speaks of is denied, or allowed by default. */
static inline void decide_end(struct decision *decision, const struct ruleset *ruleset)
{
	for_each_layer(layer, decision->layers) {
		__u64 pending = decision->pending[layer] & ~ruleset->default_allow[layer];

		if (pending)
			decide_refuse(decision, layer, pending, REASON_NO_RULE, 0);
		decision->pending[layer] = 0;
	}
}

/* End a walk that could not be finished: what is pending cannot be decided, so it is denied. */
static inline void decide_lost(struct decision *decision, __u32 reason)
{
	for_each_layer(layer, decision->layers) {
		if (decision->pending[layer])
			decide_refuse(decision, layer, decision->pending[layer], reason, 0);
		decision->pending[layer] = 0;
	}
}

/* What layers refuse that do not merely report. */
static inline __u64 decide_enforced(const struct decision *decision, __u32 permissive)
{
	__u64 refused = 0;

	for_each_layer(layer, decision->layers) {
		if (!(permissive & (1U << layer)))
			refused |= decision->refused[layer];
	}
	return refused;
}

/* What any layer refuses. */
static inline __u64 decide_refused(const struct decision *decision)
{
	__u64 refused = 0;

	for_each_layer(layer, decision->layers)
		refused |= decision->refused[layer];
	return refused;
}

/*
 * Whether an object would gain a right by moving: something that is refused at
 * its source is not refused at its destination, in any layer. The rules of the
 * object itself count at the source only, as upstream, since they go with it.
 * Layers in the mask skip are not asked. Leaves the layer in destination.
 */
static inline __u32 decide_gain(const struct decision *source, struct decision *destination,
				__u64 scope, __u32 skip)
{
	for_each_layer(layer, source->layers) {
		if (skip & (1U << layer))
			continue;
		if (source->refused[layer] & ~destination->refused[layer] & scope) {
			destination->layer = layer;
			return 1;
		}
	}
	return 0;
}

#endif
