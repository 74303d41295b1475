/* SPDX-License-Identifier: GPL-2.0-only */
/* What Landlock's patch series v7 (August 2017) added to this header, and fsviews. */
#ifndef _UAPI_LINUX_BPF_H
#define _UAPI_LINUX_BPF_H

#include <linux/types.h>

/* What a rule is asked about. */
enum landlock_subtype_event {
	LANDLOCK_SUBTYPE_EVENT_UNSPEC,
	LANDLOCK_SUBTYPE_EVENT_FS,
	LANDLOCK_SUBTYPE_EVENT_FS_IOCTL,
	LANDLOCK_SUBTYPE_EVENT_FS_LOCK,
	LANDLOCK_SUBTYPE_EVENT_FS_FCNTL,
};

/* The same as Landlock's author showed them in talks. */
#define LANDLOCK_EVENT_UNSPEC	LANDLOCK_SUBTYPE_EVENT_UNSPEC
#define LANDLOCK_EVENT_FS	LANDLOCK_SUBTYPE_EVENT_FS
#define LANDLOCK_EVENT_FS_IOCTL LANDLOCK_SUBTYPE_EVENT_FS_IOCTL
#define LANDLOCK_EVENT_FS_LOCK	LANDLOCK_SUBTYPE_EVENT_FS_LOCK
#define LANDLOCK_EVENT_FS_FCNTL LANDLOCK_SUBTYPE_EVENT_FS_FCNTL

/* What a rule may do besides: call the helpers for debugging. */
#define LANDLOCK_SUBTYPE_ABILITY_DEBUG (1ULL << 0)
#define LANDLOCK_ABILITY_DEBUG	       LANDLOCK_SUBTYPE_ABILITY_DEBUG

/* Bits of arg2 with the event FS; with the others arg2 is the command. */
#define LANDLOCK_ACTION_FS_EXEC	  (1ULL << 0) /* execute a file, walk through a directory */
#define LANDLOCK_ACTION_FS_WRITE  (1ULL << 1) /* change a file, a directory, the mounts */
#define LANDLOCK_ACTION_FS_READ	  (1ULL << 2) /* read a file or a directory */
#define LANDLOCK_ACTION_FS_NEW	  (1ULL << 3) /* create a file or a directory */
#define LANDLOCK_ACTION_FS_GET	  (1ULL << 4) /* open or receive a file */
#define LANDLOCK_ACTION_FS_REMOVE (1ULL << 5) /* unlink a file, remove a directory */
#define LANDLOCK_ACTION_FS_IOCTL  (1ULL << 6) /* the command: event FS_IOCTL */
#define LANDLOCK_ACTION_FS_LOCK	  (1ULL << 7) /* the command: event FS_LOCK */
#define LANDLOCK_ACTION_FS_FCNTL  (1ULL << 8) /* the command: event FS_FCNTL */

/* What a rule is given; it can be read only. */
struct landlock_context {
	const __u64 status; /* 0 */
	const __u64 event;
	const __u64 arg1; /* the object, for helpers alone */
	const __u64 arg2;
};

/* What a rule says of itself. */
union bpf_prog_subtype {
	struct {
		__u32 abi; /* 1 */
		__u32 event;
		__aligned_u64 ability;
		__aligned_u64 option; /* 0 */
	} landlock_rule;
} __attribute__((aligned(8)));

/* A view of the file system: marks on objects, made by LANDLOCK_FSVIEW(). */
struct bpf_fsview {
	__u32 number;
	__u32 max;
};

/* Marks that have names on the command line; others are numbers. */
#define LANDLOCK_MARK_RO 1
#define LANDLOCK_MARK_RW 2

/* For bpf_fsview_beneath(): is the object on the way to what the view marks? */
#define LANDLOCK_FLAG_OPT_REVERSE (1 << 0)

#endif
