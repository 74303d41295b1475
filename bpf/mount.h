/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hook bodies for mounts: no change of them in a domain that rules on files, and
 * the rules of a filesystem end with it.
 */
#ifndef LANDLOCK_BPF_MOUNT_H
#define LANDLOCK_BPF_MOUNT_H

#include "emit.h"

static __noinline int deny_mount(__u32 hook, __u64 mount, __u64 dentry, const struct sight *sight)
{
	struct report report = {
		.mount = mount,
		.dentry = dentry,
		.refusal = { .serial = sight->serial,
			     .domain = sight->domain,
			     .hook = hook,
			     .reason = REASON_MOUNT,
			     .error = -EPERM },
	};

	emit(&report);
	return -EPERM;
}

/* Deny a mount change. A task whose storage cannot be had is in a domain. */
static __always_inline int ask_mount(__u32 hook, const struct vfsmount *mnt, struct dentry *dentry)
{
	struct subject subject;
	struct sight sight;
	int found = find_subject(&subject);
	__u64 mount = mnt ? (__u64)real_mount(mnt) : 0;

	if (!found)
		return 0;
	if (found < 0)
		return deny_storage(hook, mount, (__u64)dentry, -EPERM);
	if (see(&sight, subject.cgroup) && sight.handled_any)
		return deny_mount(hook, mount, (__u64)dentry, &sight);
	if (see(&sight, subject.process) && sight.handled_any)
		return deny_mount(hook, mount, (__u64)dentry, &sight);
	return 0;
}

static __always_inline int on_sb_mount(const char *dev_name, const struct path *path,
				       const char *type, unsigned long flags, void *data)
{
	return ask_mount(HOOK_SB_MOUNT, path->mnt, path->dentry);
}

static __always_inline int on_move_mount(const struct path *from_path, const struct path *to_path)
{
	return ask_mount(HOOK_MOVE_MOUNT, to_path->mnt, to_path->dentry);
}

static __always_inline int on_sb_umount(struct vfsmount *mnt, int flags)
{
	return ask_mount(HOOK_SB_UMOUNT, mnt, mnt->mnt_root);
}

static __always_inline int on_sb_remount(struct super_block *sb, void *mnt_opts)
{
	return ask_mount(HOOK_SB_REMOUNT, NULL, sb->s_root);
}

static __always_inline int on_sb_pivotroot(const struct path *old_path, const struct path *new_path)
{
	return ask_mount(HOOK_SB_PIVOTROOT, new_path->mnt, new_path->dentry);
}

static long end_rule(void *map, struct fsview_key *key, struct rule *rule, __u32 *dev)
{
	if (key->object.dev == *dev)
		bpf_map_delete_elem(map, key);
	return 0;
}

static long end_marks(void *map, struct view_key *key, struct view_marks *marks, __u32 *dev)
{
	if (key->object.dev == *dev)
		bpf_map_delete_elem(map, key);
	return 0;
}

/* A filesystem is gone: its s_dev may name another one next, so its rules and marks end. */
static __always_inline int on_sb_delete(struct super_block *sb)
{
	__u32 dev = sb->s_dev;

	if (!bpf_map_lookup_elem(&superblocks, &dev))
		return 0;
	bpf_for_each_map_elem(&fsview, end_rule, &dev, 0);
	bpf_for_each_map_elem(&views, end_marks, &dev, 0);
	bpf_map_delete_elem(&superblocks, &dev);
	return 0;
}

#endif
