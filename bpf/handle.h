/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handle of a question: a number that says all a rule program may know of its object.
 *
 * No address of the kernel's is in it, so none can leak; a made-up one is told from those
 * that the engine gave.
 */
#ifndef LANDLOCK_BPF_HANDLE_H
#define LANDLOCK_BPF_HANDLE_H

#include "abi.h"

#define HANDLE_MAGIC ((__u64)HANDLE_PART_MAGIC << HANDLE_PART_TAG)

/* The handle of question number `question`: of an object with this mode, or of none (an errno). */
static inline __u64 make_handle(__u32 question, __u32 mode, __u32 error)
{
	return HANDLE_MAGIC | (__u64)question << HANDLE_PART_QUESTION |
	       (__u64)error << HANDLE_PART_ERROR | (mode & 0xffff);
}

static inline _Bool is_handle(__u64 handle)
{
	return handle >> HANDLE_PART_TAG == HANDLE_PART_MAGIC;
}

static inline __u32 handle_error(__u64 handle)
{
	return (handle >> HANDLE_PART_ERROR) & 0xffff;
}

static inline __u32 handle_question(__u64 handle)
{
	return (handle >> HANDLE_PART_QUESTION) & (LIMIT_QUESTIONS - 1);
}

#endif
