/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * No way out: what a task in a domain is refused whatever its policies say, since it would
 * leave or weaken the domain. All of it is EPERM.
 */
#ifndef LANDLOCK_BPF_ESCAPE_H
#define LANDLOCK_BPF_ESCAPE_H

#include "emit.h"

/*
 * Refuse in one domain, by some of its layers, and report it: hook, reason and place are in the
 * report. Where all of them merely report, they do so here as well.
 */
static __noinline int refuse_by(__u32 domain, __u32 layers, struct report *report, _Bool quiet)
{
	struct sight sight = {};
	struct ruleset *ruleset = see_ruleset(&sight, domain);
	__u32 enforced;

	if (!ruleset)
		return 0;
	layers &= (1U << (ruleset->layers & 31)) - 1;
	enforced = layers & ~ruleset->permissive;
	report->refusal.serial = sight.serial;
	report->refusal.domain = domain;
	report->refusal.error = -EPERM;
	report->refusal.permissive = !enforced;
	for_each_layer(layer, LIMIT_LAYERS) {
		report->refusal.layer = layer;
		if ((enforced ? enforced : layers) & (1U << layer))
			break;
	}
	if (!quiet)
		emit(report);
	return enforced ? -EPERM : 0;
}

/* The same, whatever the layers say. */
static __always_inline int refuse_in(__u32 domain, struct report *report, _Bool quiet)
{
	return refuse_by(domain, ~0U, report, quiet);
}

/* Refuse to whoever is in a domain. A global function: see walk_up(). */
__noinline int refuse_all(struct report *report)
{
	struct subject subject;
	int error;

	if (!report || !find_subject(&subject))
		return 0;
	for_each_domain(domain, &subject)
	{
		error = refuse_in(domain, report, 0);
		if (error)
			return error;
	}
	return 0;
}

/* The same; addresses are what an event names, 0 for nothing. */
static __noinline int refuse_escape(__u32 hook, __u64 mount, __u64 dentry)
{
	struct report report = { .mount = mount,
				 .dentry = dentry,
				 .refusal = { .hook = hook, .reason = REASON_DOMAIN } };

	return refuse_all(&report);
}

static __always_inline int refuse_file(struct file *file, __u32 hook)
{
	return refuse_escape(hook, (__u64)real_mount(file->f_path.mnt), (__u64)file->f_path.dentry);
}

/*
 * Who can load BPF programs, and open maps by their ids, can do all that we can. Of its arguments
 * only the first are declared: newer kernels have one more.
 */
static __always_inline int on_bpf(int cmd)
{
	return refuse_escape(HOOK_BPF, 0, 0);
}

/* Kernel memory, ports, MSRs, and whatever else lockdown is about. */
static __always_inline int on_locked_down(int what)
{
	return refuse_escape(HOOK_LOCKED_DOWN, 0, 0);
}

/* Modules and kernels: of signed ones lockdown is not asked. */
static __always_inline _Bool is_code(int id)
{
	return id == READING_MODULE || id == READING_MODULE_COMPRESSED ||
	       id == READING_KEXEC_IMAGE || id == READING_KEXEC_INITRAMFS;
}

static __always_inline int on_kernel_load_data(int id, _Bool contents)
{
	return is_code(id) ? refuse_escape(HOOK_KERNEL_LOAD_DATA, 0, 0) : 0;
}

static __always_inline int on_kernel_read_file(struct file *file, int id, _Bool contents)
{
	return is_code(id) ? refuse_file(file, HOOK_KERNEL_READ_FILE) : 0;
}

/* Commands that have a terminal, or the keyboard of all consoles, type for others. */
static __always_inline _Bool types_for_others(__u32 command)
{
	switch (command) {
	case 0x5412:	 /* TIOCSTI */
	case 0x541c:	 /* TIOCLINUX: paste */
	case 0x4b47:	 /* KDSKBENT */
	case 0x4b49:	 /* KDSKBSENT */
	case 0x4b4b:	 /* KDSKBDIACR */
	case 0x4b4d:	 /* KDSETKEYCODE */
	case 0x4bfb:	 /* KDSKBDIACRUC */
	case 0x40084504: /* EVIOCSKEYCODE */
	case 0x40284504: /* EVIOCSKEYCODE_V2 */
		return 1;
	default:
		return 0;
	}
}

static __noinline int refuse_command(struct file *file, __u32 hook, __u32 command)
{
	struct report report = {
		.mount = (__u64)real_mount(file->f_path.mnt),
		.dentry = (__u64)file->f_path.dentry,
		.refusal = { .hook = hook, .reason = REASON_DOMAIN, .command = command, .ioctl = 1 }
	};

	return refuse_all(&report);
}

/*
 * Counting its own instructions is nobody's business; the kernel's events are, and who has these
 * capabilities can put probes into other programs, which write there.
 */
static __always_inline int on_perf_event_open(int type)
{
	struct task_struct *current = bpf_get_current_task_btf();

	if (type == PERF_SECURITY_OPEN &&
	    !(current->cred->cap_effective.val & (1ULL << CAP_SYS_ADMIN | 1ULL << CAP_PERFMON)))
		return 0;
	return refuse_escape(HOOK_PERF_EVENT_OPEN, 0, 0);
}

#endif
