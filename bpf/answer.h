/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a rule program of 2017 may ask: the headers of include-2017/ lead here.
 *
 * Included once, before the rule programs. Theirs is every name that does not begin
 * with __landlock_ or end in _2017, so no source can reach past these functions.
 */
#ifndef LANDLOCK_BPF_ANSWER_H
#define LANDLOCK_BPF_ANSWER_H

#include "handle.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* A question as a rule program gets it; the v7 form is in include-2017/uapi/linux/bpf.h. */
struct landlock_context {
	__u64 status;
	__u64 event;
	__u64 arg1;
	__u64 arg2;
};

/* The inquiry that asks now, or NULL where there are no fsviews to ask. */
static __always_inline struct inquiry *landlock_inquiry(void);

enum landlock_errno_2017 {
	__LANDLOCK_ENOENT = 2,
	__LANDLOCK_EFAULT = 14,
	__LANDLOCK_EINVAL = 22,
};

/* The mode of what a handle stands for, or a negative errno. */
static __always_inline __s64 __landlock_get_mode(__u64 handle)
{
	if (!is_handle(handle))
		return -__LANDLOCK_EFAULT;
	if (handle_error(handle))
		return -(__s64)handle_error(handle);
	return handle & ((1 << HANDLE_PART_ERROR) - 1);
}

/* The question that a handle came with; NULL for what is no handle of this inquiry. */
static __always_inline struct question *__landlock_question(__u64 handle)
{
	__u32 number = handle_question(handle);
	struct inquiry *inquiry = landlock_inquiry();

	if (!inquiry || number >= inquiry->questions)
		return 0;
	/* The verifier must see the bound on what is the index, whatever clang made of it. */
	number &= LIMIT_QUESTIONS - 1;
	return inquiry->question[number].handle == handle ? &inquiry->question[number] : 0;
}

/* The mark of the nearest marked ancestor, the object itself counted; 0: none, or not known. */
static __always_inline __u32 __landlock_mark(__u32 view, __u64 handle)
{
	struct question *question;

	if (view >= LIMIT_VIEWS)
		return 0;
	question = __landlock_question(handle);
	if (!question || question->error)
		return 0;
	return question->seen.marks[view];
}

/* 0: beneath what the view marks (reverse: on the way to it), 1: not, else a negative errno. */
static __always_inline int __landlock_beneath(__u64 reverse, __u32 view, __u64 handle)
{
	struct question *question;

	if (view >= LIMIT_VIEWS || reverse > 1)
		return -__LANDLOCK_EINVAL;
	question = __landlock_question(handle);
	if (!question)
		return -__LANDLOCK_EFAULT;
	if (question->error)
		return question->error;
	if (reverse)
		return !(question->seen.ways >> view & 1);
	return !question->seen.marks[view];
}

#endif
