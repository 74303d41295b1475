// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lesson 4: of all ioctl(2) commands only those of a list, enough for a shell on its terminal.
 *
 * Try it:  landlock-bpf run -r policies/rules/ioctl-list.c -- bash -i
 *          lsattr -d /tmp  # Operation not permitted
 *
 * Not on the list, for example: TIOCSTI, which types into the terminal for you.
 */
#include <uapi/linux/bpf.h>
#include <uapi/asm/ioctls.h>
#include "bpf_helpers.h"

/*
 * The event FS asks about ioctl(2) as well, with the bit IOCTL and no more. For the command there
 * is an event of its own, in which arg2 is the command itself. arg1 is the file as before.
 */
SEC("landlock1")
static int landlock_ioctl_list(struct landlock_context *ctx)
{
	switch (ctx->arg2) {
	case TCGETS:
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
	case TIOCSCTTY:
	case TIOCGPGRP:
	case TIOCSPGRP:
	case TIOCGWINSZ:
	case TIOCSWINSZ:
	case FIONREAD:
	case FIONBIO:
	case FIONCLEX:
	case FIOCLEX:
	case TCGETS2:
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
		return 0;
	}
	return 1;
}

SEC("subtype")
static const union bpf_prog_subtype _subtype = {
	.landlock_rule = {
		.abi = 1,
		.event = LANDLOCK_SUBTYPE_EVENT_FS_IOCTL,
	},
};

SEC("license")
static const char _license[] = "GPL";
