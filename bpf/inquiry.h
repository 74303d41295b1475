/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Questions to the rule programs of the current task's domains.
 *
 * A hook's first program writes its questions down and tail-calls the second, which
 * tail-calls the rule programs of the first layer. These tail-call back to it: with a
 * denial, which it reports, or to have the next layer asked. For 16 layers that makes 33
 * tail calls, which is what the kernel allows. One that fails denies: whoever must be asked
 * was not.
 */
#ifndef LANDLOCK_BPF_INQUIRY_H
#define LANDLOCK_BPF_INQUIRY_H

#include "emit.h"
#include "handle.h"
#include "view.h"

#define FS(action) (1U << ACTION_FS_##action)

/* What 2017 made of a mask of MAY_*; MAY_CHDIR, MAY_ACCESS and MAY_NOT_BLOCK are nothing. */
static __always_inline __u32 fs_may_to_access(int mask)
{
	__u32 actions = 0;

	if (mask & MAY_EXEC)
		actions |= FS(EXEC);
	if (mask & MAY_READ)
		actions |= FS(READ);
	if (mask & (MAY_WRITE | MAY_APPEND))
		actions |= FS(WRITE);
	if (mask & MAY_OPEN)
		actions |= FS(GET);
	return actions;
}

/* What 2017 made of PROT_*: what is written to a private mapping stays there. */
static __always_inline __u32 mem_prot_to_access(unsigned long prot, _Bool private)
{
	__u32 actions = 0;

	if (prot & PROT_WRITE && !private)
		actions |= FS(WRITE);
	if (prot & PROT_READ)
		actions |= FS(READ);
	if (prot & PROT_EXEC)
		actions |= FS(EXEC);
	return actions;
}

/* Refuse, and say why; nothing that a rule program said. */
static __noinline int deny_inquiry(__u32 hook, __u32 reason, const struct sight *sight)
{
	struct report report = {
		.refusal = { .serial = sight->serial,
			     .domain = sight->domain,
			     .hook = hook,
			     .reason = reason,
			     .error = -EPERM },
	};

	emit(&report);
	return -EPERM;
}

/* Refuse since a program of ours is not there. */
static __always_inline int deny_unasked(__u32 hook)
{
	struct sight nobody = {};

	deny_inquiry(hook, REASON_MISSING, &nobody);
	return -EPERM;
}

struct listing {
	struct inquiry *inquiry;
	struct ruleset *ruleset;
	struct sight *sight;
	__u64 hook; /* 1 << enum hook */
	__u32 full;
};

static long list_place(__u32 place, struct listing *listing)
{
	struct inquiry *inquiry = listing->inquiry;
	struct programs *programs = &listing->ruleset->programs[place & (LIMIT_LAYERS - 1)];
	struct asked *asked;

	if (!programs->slot)
		return 1;
	if (!(programs->hooks & listing->hook))
		return 0;
	if (inquiry->places >= LIMIT_LAYERS) {
		listing->full = 1;
		return 1;
	}
	asked = &inquiry->asked[inquiry->places++ & (LIMIT_LAYERS - 1)];
	asked->programs = *programs;
	asked->serial = listing->sight->serial;
	asked->domain = listing->sight->domain;
	return 0;
}

/* See the ruleset of a domain that has rule programs at a hook (1 << enum hook), or NULL. */
static __always_inline struct ruleset *see_asking(struct sight *sight, __u32 domain, __u64 hook)
{
	struct ruleset *ruleset = see_ruleset(sight, domain);

	return ruleset && ruleset->hooks_any & hook ? ruleset : NULL;
}

/* List the rule programs that a domain has at a hook. Returns whether there was room for all. */
static __always_inline _Bool list_asked(struct inquiry *inquiry, __u32 domain, __u64 hook,
					struct sight *sight)
{
	struct listing listing = { .inquiry = inquiry, .sight = sight, .hook = hook };

	listing.ruleset = see_asking(sight, domain, hook);
	if (!listing.ruleset)
		return 1;
	bpf_loop(LIMIT_LAYERS, list_place, &listing, 0);
	return !listing.full;
}

/*
 * List who is to be asked: of the process domain first, of the held one last, of each the newest
 * first. Returns 0 for nobody, 1, or -EPERM. A task in more layers than can be asked, or without
 * storage, may do nothing that a rule program of its could deny.
 */
static __noinline int begin_inquiry(__u32 hook, struct room **found)
{
	struct subject subject;
	struct inquiry *inquiry;
	struct sight sight = {};
	struct room *room;
	_Bool asks = 0;

	hook &= 63;
	if (!find_subject(&subject))
		return 0;
	for_each_domain(domain, &subject)
	{
		if (!asks && see_asking(&sight, domain, 1ULL << hook))
			asks = 1;
	}
	if (!asks)
		return 0;
	room = find_room();
	if (!room)
		return deny_inquiry(hook, REASON_FULL, &sight);
	inquiry = &room->inquiry;
	inquiry->hook = hook;
	inquiry->questions = 0;
	inquiry->places = 0;
	inquiry->place = ~0U; /* before the first */
	inquiry->denied = 0;
	if (!list_asked(inquiry, subject.process, 1ULL << hook, &sight) ||
	    !list_asked(inquiry, subject.cgroup, 1ULL << hook, &sight) ||
	    !list_asked(inquiry, subject.held, 1ULL << hook, &sight))
		return deny_inquiry(hook, REASON_FULL, &sight);
	*found = room;
	return inquiry->places > 0;
}

static __always_inline struct question *next_question(struct inquiry *inquiry, __u32 kind,
						      __u32 event, __u64 arg2, struct inode *inode)
{
	__u32 number = inquiry->questions++ & (LIMIT_QUESTIONS - 1);
	struct question *question = &inquiry->question[number];

	question->kind = kind;
	question->event = event;
	question->arg2 = arg2;
	question->inode = (__u64)inode;
	question->handle =
		inode ? make_handle(number, inode->i_mode, 0) : make_handle(number, 0, ENOENT);
	question->mount = 0;
	question->dentry = 0;
	return question;
}

/* `address` is that of a struct file: some hooks have none, and what is no file is not asked. */
static __always_inline void ask_file(struct inquiry *inquiry, __u64 address, __u32 event,
				     __u64 arg2)
{
	struct file *file = CAST(struct file, address);
	struct question *question;

	if (!address)
		return;
	question = next_question(inquiry, HANDLE_FILE, event, arg2, file->f_inode);
	question->mount = (__u64)real_mount(file->f_path.mnt);
	question->dentry = (__u64)file->f_path.dentry;
}

static __always_inline void ask_path(struct inquiry *inquiry, __u64 address, __u32 event,
				     __u64 arg2)
{
	struct path *path = CAST(struct path, address);
	struct dentry *dentry = path->dentry;
	struct question *question;

	question = next_question(inquiry, HANDLE_PATH, event, arg2, dentry->d_inode);
	question->mount = (__u64)real_mount(path->mnt);
	question->dentry = (__u64)dentry;
}

static __always_inline void ask_dentry(struct inquiry *inquiry, __u64 address, __u32 event,
				       __u64 arg2)
{
	struct dentry *dentry = CAST(struct dentry, address);
	struct question *question;

	if (!address)
		return;
	question = next_question(inquiry, HANDLE_DENTRY, event, arg2, dentry->d_inode);
	question->dentry = address;
}

static __always_inline void ask_inode(struct inquiry *inquiry, __u64 address, __u32 event,
				      __u64 arg2)
{
	if (address)
		next_question(inquiry, HANDLE_INODE, event, arg2, CAST(struct inode, address));
}

/* Give the slot to be asked next, its views' marks looked up; 0: all have allowed. */
static __noinline __u32 next_slot(struct room *room)
{
	struct inquiry *inquiry = &room->inquiry;
	struct asked *asked = &inquiry->asked[inquiry->place & (LIMIT_LAYERS - 1)];

	if (inquiry->place >= inquiry->places)
		return 0;
	/*
	 * link(2) asks of the old name what reading it would. But under its new name the file
	 * has other marks: where there are views, what may not be written may not get one.
	 */
	if (inquiry->hook == HOOK_INODE_LINK)
		inquiry->question[0].arg2 = FS(READ) | (asked->programs.views ? FS(WRITE) : 0);
	if (asked->programs.views) {
		for (__u32 number = 0; number < LIMIT_QUESTIONS; number++) {
			if (number < inquiry->questions)
				view(room, &inquiry->question[number], asked->programs.views);
		}
	}
	return asked->programs.slot;
}

/* Report that the layer asked now denies. */
static __noinline int deny_place(struct room *room, __u32 reason)
{
	struct inquiry *inquiry = &room->inquiry;
	struct asked *asked = &inquiry->asked[inquiry->place & (LIMIT_LAYERS - 1)];
	__u32 number = inquiry->denied_question & (LIMIT_QUESTIONS - 1);
	struct question *question = &inquiry->question[number];
	struct report report = {
		.mount = question->mount,
		.dentry = question->dentry,
		.refusal = { .refused = question->arg2,
			     .serial = asked->serial,
			     .domain = asked->domain,
			     .layer = asked->programs.layer,
			     .hook = inquiry->hook,
			     .reason = reason,
			     .event = question->event,
			     .rule = inquiry->denied - 1,
			     .error = -EPERM },
	};

	if (!report.dentry && question->inode)
		report.dentry = first_alias(question->inode);
	if (report.dentry && !question->dentry)
		report.dentry = (__u64)dentry_of(report.dentry);
	emit(&report);
	return -EPERM;
}

/* Begin with the first layer, or go on after one. Gives the slot to be asked next. */
static __always_inline int go_on(__u32 hook, struct room **found, __u32 *slot)
{
	struct room *room = bpf_task_storage_get(&rooms, bpf_get_current_task_btf(), NULL, 0);

	if (!room)
		return deny_storage(hook, 0, 0, -EPERM);
	*found = room;
	if (room->inquiry.denied)
		return deny_place(room, REASON_PROGRAM);
	room->inquiry.place++;
	*slot = next_slot(room);
	return 0;
}

#endif
