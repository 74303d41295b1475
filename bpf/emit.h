/* SPDX-License-Identifier: GPL-2.0-only */
/* Denials on the ring buffer: who, what, where, and the rule that decided. */
#ifndef LANDLOCK_BPF_EMIT_H
#define LANDLOCK_BPF_EMIT_H

#include "domain.h"

#define MAX_ERRNO 4095

/*
 * What a hook returns. The verifier does not look into global functions for what they
 * return; anything odd denies. 64 bits wide, as 6.12 takes the range of the whole register.
 */
static __always_inline long verdict(long error)
{
	barrier_var(error); /* else the compiler compares 32 bits */
	if (error < -MAX_ERRNO || error > 0)
		return -EACCES;
	return error;
}

/* A denial in words of the hook; addresses are kernel pointers, 0 for none. */
struct report {
	__u64 mount;
	__u64 dentry;
	__u64 second_mount;
	__u64 second_dentry;
	struct refusal refusal;
};

struct naming {
	struct names *names;
	__u64 mount;
	__u64 dentry;
};

/* Append one name. Without a mount the path begins at the filesystem's root. */
static long name_step(__u32 index, struct naming *naming)
{
	struct dentry *dentry = CAST(struct dentry, naming->dentry);
	struct mount *mount = CAST(struct mount, naming->mount);
	struct names *names = naming->names;
	struct dentry *parent;
	__u32 offset;
	long copied;

	if (naming->mount && dentry == mount->mnt.mnt_root) {
		if (mount->mnt_parent == mount)
			return 1;
		naming->dentry = (__u64)mount->mnt_mountpoint;
		naming->mount = (__u64)mount->mnt_parent;
		return 0;
	}
	parent = dentry->d_parent;
	if (parent == dentry)
		return 1;
	offset = names->bytes;
	if (offset >= LIMIT_PATH) {
		names->truncated = 1;
		return 1;
	}
	copied = bpf_probe_read_kernel_str(names->text + offset, LIMIT_COMPONENT,
					   dentry->d_name.name);
	if (copied < 0) {
		names->truncated = 1;
		return 1;
	}
	names->bytes = offset + copied;
	naming->dentry = (__u64)parent;
	return 0;
}

static __noinline int name_path(struct names *names, __u64 mount, __u64 dentry)
{
	struct naming naming = { .names = names, .mount = mount, .dentry = dentry };

	if (!names)
		return 0;
	names->bytes = 0;
	names->truncated = 0;
	names->absent = !dentry;
	if (dentry && bpf_loop(LIMIT_DEPTH + LIMIT_CROSSED, name_step, &naming, 0) ==
			      LIMIT_DEPTH + LIMIT_CROSSED)
		names->truncated = 1;
	return 0;
}

static __always_inline void fill_denial(struct denial *denial, const struct report *report,
					__u32 dropped)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	denial->time = bpf_ktime_get_boot_ns();
	denial->refusal = report->refusal;
	denial->pid = pid_tgid >> 32;
	denial->tid = (__u32)pid_tgid;
	denial->uid = (__u32)bpf_get_current_uid_gid();
	denial->dropped = dropped;
	bpf_get_current_comm(denial->comm, sizeof(denial->comm));
	name_path(&denial->path, report->mount, report->dentry);
}

#define SECOND 1000000000ULL

/*
 * Whether a domain may report one more denial in this second. Counts are of one processor's
 * view: two at once may count as one.
 */
static __always_inline _Bool may_report(struct rate *rate, __u32 most)
{
	__u64 now = bpf_ktime_get_boot_ns();

	if (now - rate->start >= SECOND) {
		rate->start = now;
		rate->reported = 0;
	}
	if (!most || rate->reported < most) {
		rate->reported++;
		return 1;
	}
	return 0;
}

/* Count a denial that is not reported. */
static __always_inline void drop(struct state *state, struct rate *rate)
{
	__sync_fetch_and_add(&state->lost, 1);
	if (rate) {
		__sync_fetch_and_add(&rate->dropped, 1);
		__sync_fetch_and_add(&rate->dropped_ever, 1);
	}
}

/* Report a denial; one that finds no room, or comes too often, is counted, never waited for. */
__noinline int emit(const struct report *report)
{
	struct state *state = the_state();
	struct denial *denial;
	struct rate *rate;
	__u32 domain, dropped = 0;

	if (!report || !state)
		return 0;
	domain = report->refusal.domain;
	rate = bpf_map_lookup_elem(&rates, &domain);
	if (rate && !may_report(rate, state->rate)) {
		drop(state, rate);
		return 0;
	}
	if (rate)
		dropped = rate->dropped;
	if (report->second_dentry) {
		denial = bpf_ringbuf_reserve(&denials, sizeof(*denial), 0);
		if (denial) {
			fill_denial(denial, report, dropped);
			name_path(&denial->second, report->second_mount, report->second_dentry);
			bpf_ringbuf_submit(denial, 0);
		}
	} else {
		denial =
			bpf_ringbuf_reserve(&denials, __builtin_offsetof(struct denial, second), 0);
		if (denial) {
			fill_denial(denial, report, dropped);
			bpf_ringbuf_submit(denial, 0);
		}
	}
	if (!denial)
		drop(state, rate);
	else if (dropped && rate)
		__sync_fetch_and_add(&rate->dropped, -(__s32)dropped);
	return 0;
}

/* Refuse for lack of memory, before any ruleset was seen. */
static __noinline int deny_storage(__u32 hook, __u64 mount, __u64 dentry, int error)
{
	struct report report = {
		.mount = mount,
		.dentry = dentry,
		.refusal = { .hook = hook, .reason = REASON_FULL, .error = error },
	};

	emit(&report);
	return error;
}

#endif
