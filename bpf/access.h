/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One access: asked of each domain of the current task, and reported where denied.
 */
#ifndef LANDLOCK_BPF_ACCESS_H
#define LANDLOCK_BPF_ACCESS_H

#include "emit.h"
#include "remember.h"

/*
 * Walk for actions that were refused, or must be asked for by themselves, so that the rule and
 * its layer are known. Returns which of them are denied; 0 where nothing, or permissive layers
 * alone, refuse: the decision tells which. What was refused once stays so, whatever moved
 * since; only the withheld ones wait for this answer.
 */
static __always_inline __u64 walk_refused(struct room *room, const struct sight *sight, __u64 mount,
					  __u64 dentry, __u64 refused)
{
	struct walk *walk = &room->walks[0];
	__u64 enforced;

	walk_from(walk, sight, mount, dentry, refused);
	if (!sight->permissive)
		return refused & (~ACTIONS_WITHHELD | decide_refused(&walk->decision));
	enforced = decide_enforced(&walk->decision, sight->permissive);
	if (enforced) {
		walk->decision.skip = sight->permissive;
		walk_from(walk, sight, mount, dentry, enforced);
		walk->decision.skip = 0;
	}
	return enforced;
}

/* Report what the walk that was just done refused; enforced: not by permissive layers alone. */
static __noinline int deny_walked(struct room *room, const struct sight *sight, __u64 refused,
				  _Bool enforced)
{
	const struct access *access = &room->access;
	struct decision *decision = &room->walks[0].decision;
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
			     .command = access->command,
			     .error = access->error,
			     .permissive = !enforced,
			     .ioctl = access->ioctl },
	};

	if (refused & MASK(ACTION_MOUNT) && decision->reason == REASON_NO_RULE)
		report.refusal.reason = REASON_MOUNT;
	emit(&report);
	return enforced ? access->error : 0;
}

/* What the rules on names alone say of an object's name: left in walk->sealed and .way. */
static __always_inline void collect_names(struct walk *walk, const struct sight *sight, __u64 mount,
					  __u64 address)
{
	struct dentry *dentry = CAST(struct dentry, address);

	walk->sealed = walk->way = 0;
	if (!may_be_named(sight->lengths, sight->tails, dentry))
		return;
	if (dentry == CAST(struct mount, mount)->mnt.mnt_root)
		return; /* it has no name on this mount */
	/* A walk that finds out in which trees the directory is; what it decides is not asked. */
	walk_from(walk, sight, mount, (__u64)dentry->d_parent, ~0ULL);
	walk->mode = WALK_MODE_COLLECT;
	walk->trees = walk->gathered;
	apply_names(walk, mount, address);
}

/* All layers of a ruleset, however many it has. */
#define ALL_LAYERS (~0U)

/*
 * The layers in which an object may not be removed, replaced, or made; where its name says so in
 * one of the mask enforcing, no more is looked for. What cannot be named may be a sealed one. Names
 * on the way to a denied one may be made, but as directories alone. Leaves the object of the rule
 * in the decision.
 */
static __always_inline __u32 seal_of(struct room *room, const struct sight *sight, __u64 mount,
				     __u64 address, __u32 touch, __u32 enforcing)
{
	struct dentry *dentry = CAST(struct dentry, address);
	struct walk *walk = &room->walks[0];
	struct inode *inode = dentry->d_inode;
	struct rule *rule, *beneath;
	__u32 named = 0, sealed = 0;

	if (sight->lengths | sight->tails && mount) {
		collect_names(walk, sight, mount, address);
		named = walk->sealed;
		if (touch != TOUCH_MADE_DIR)
			named |= walk->way;
		if (named & enforcing)
			return named;
	}
	if (!inode)
		return named;
	walk->unnamed = 0;
	rule = rule_of(walk, sight->index, inode, inode->i_sb, &beneath);
	if (walk->unnamed) {
		walk->decision.object = (struct object){};
		return ALL_LAYERS;
	}
	if (rule)
		sealed |= rule->sealed;
	if (beneath)
		sealed |= beneath->sealed;
	if (!named || sealed & enforcing)
		walk->decision.object = walk->key.object;
	return named | sealed;
}

static __always_inline __u32 lowest_layer(__u32 mask)
{
	for_each_layer(layer, LIMIT_LAYERS) {
		if (mask & (1U << layer))
			return layer;
	}
	return 0;
}

/* Those layers of a mask that do not merely report. */
static __always_inline __u32 enforced_layers(const struct sight *sight, __u32 layers)
{
	__u32 index = sight->index;
	struct ruleset *ruleset = bpf_map_lookup_elem(&rulesets, &index);

	if (layers == ALL_LAYERS && ruleset)
		layers = (1U << (ruleset->layers & 31)) - 1;
	return layers & ~sight->permissive;
}

/* Deny what a sealed object must not suffer; a permissive layer's seal is only reported. */
static __noinline int deny_seal(struct room *room, const struct sight *sight, __u32 sealed)
{
	__u32 enforced = enforced_layers(sight, sealed);
	const struct access *access = &room->access;
	struct report report = {
		.mount = access->mount,
		.dentry = access->target,
		.refusal = { .refused = access->asked,
			     .serial = sight->serial,
			     .object = room->walks[0].decision.object,
			     .domain = sight->domain,
			     .layer = lowest_layer(enforced ? enforced : sealed),
			     .hook = access->hook,
			     .reason = REASON_SEALED,
			     .error = access->error,
			     .permissive = !enforced },
	};

	emit(&report);
	return enforced ? access->error : 0;
}

/* The actions that may stand for an ioctl command. */
#define ACTIONS_OF_IOCTL \
	(MASK(ACTION_IOCTL) | ((1ULL << LIMIT_COMMAND_CLASSES) - 1) << ACTION_BIT_COMMANDS)

/* The action that stands for an ioctl command in a ruleset. */
static __always_inline __u64 ioctl_action(__u32 index, __u32 command)
{
	struct command_key key = { .ruleset = index, .command = command };
	__u32 *class = bpf_map_lookup_elem(&commands, &key);

	return class ? MASK(ACTION_BIT_COMMANDS + (*class & 15)) : MASK(ACTION_IOCTL);
}

/* Ask one domain for room->access. */
__noinline int ask_domain(struct room *room, __u32 domain)
{
	const struct access *access;
	__u64 asked, all, refused, enforced;
	struct sight *sight;
	__u32 sealed;
	int error;

	if (!room)
		return -EACCES;
	access = &room->access;
	sight = &room->sight;
	if (!see(sight, domain))
		return 0;
	if (access->touches) {
		sealed = seal_of(room, sight, access->mount, access->target, access->touches,
				 ~sight->permissive);
		if (sealed) {
			error = deny_seal(room, sight, sealed);
			if (error)
				return error;
		}
	}
	asked = access->asked;
	if (access->ioctl)
		asked |= ioctl_action(sight->index, access->command);
	if (!((asked | access->optional) & sight->handled_any))
		return 0;
	all = refused_object(room, sight, access->mount, CAST(struct dentry, access->dentry));
	refused = all & asked;
	if (refused) {
		enforced = walk_refused(room, sight, access->mount, access->dentry, refused);
		refused = enforced ? enforced : decide_refused(&room->walks[0].decision);
		error = refused ? deny_walked(room, sight, refused, enforced != 0) : 0;
		if (error)
			return error;
	}
	refused = all & access->optional;
	if (!refused)
		return 0;
	enforced = walk_refused(room, sight, access->mount, access->dentry, refused);
	room->kept.refused |= enforced;
	room->kept.noted |= refused & ~enforced;
	room->kept.serial = sight->serial;
	room->kept.object = room->walks[0].decision.object;
	room->kept.domain = domain;
	room->kept.layer = room->walks[0].decision.layer;
	return 0;
}

/* All actions refused in a directory where something is touched; UNKNOWN if that may be sealed. */
static __always_inline __u64 refused_touching(const struct sight *sight, const struct epoch *epoch,
					      __u64 mount, struct dentry *dir,
					      struct dentry *touched)
{
	struct inode *inode = touched->d_inode;

	if (sight->lengths | sight->tails || (inode && may_have_rule(inode->i_ino, sight->index)))
		return UNKNOWN;
	return recall_near(sight, epoch, mount, dir);
}

/*
 * What all domains refuse to an object, or where something is touched in it, if that takes few
 * instructions, else UNKNOWN. Not inline, for its stack is needed again by what comes after.
 */
static __noinline __u64 refused_in_place(const struct subject *subject, __u64 mount,
					 struct dentry *dentry, struct dentry *touched)
{
	struct inode *inode = dentry->d_inode;
	struct epoch epoch;
	__u64 refused = 0;
	struct sight sight;

	if (!inode)
		return UNKNOWN;
	begin_moment(&epoch);
	for_each_domain(domain, subject)
	{
		if (!see(&sight, domain))
			continue;
		refused |= touched ? refused_touching(&sight, &epoch, mount, dentry, touched)
				   : refused_quickly(&sight, &epoch, mount, dentry, inode);
	}
	return is_untouched(&epoch) ? refused : UNKNOWN;
}

/* Ask all domains of the current task for room->access. */
static __always_inline int ask(const struct subject *subject, struct room *room)
{
	int error = 0;

	for_each_domain(domain, subject)
	{
		if (!error)
			error = ask_domain(room, domain);
	}
	return error;
}

#endif
