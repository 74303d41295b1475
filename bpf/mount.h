/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hook bodies for mounts: in a domain that rules on files none is changed but where a
 * rule says so, and the rules of a filesystem end with it.
 */
#ifndef LANDLOCK_BPF_MOUNT_H
#define LANDLOCK_BPF_MOUNT_H

#include "metadata.h"

static __always_inline int ask_mount(const struct path *path, __u32 hook)
{
	int error = refuse_mount(path, hook);

	return error ? error
		     : ask_path_as(path, NULL, MASK(ACTION_MOUNT), hook, TOUCH_REMOVED, -EPERM);
}

/* Refuse what mount(2) does on the approach; the kernel looks at its flags in this order. */
static __always_inline int refuse_mount_call(const struct path *path, unsigned long flags)
{
	if (!(flags & (MS_REMOUNT | MS_BIND))) {
		if (flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE))
			return 0; /* changes nothing that is seen now */
		/* From where it moves a mount is known by a text alone. */
		if (flags & MS_MOVE && has_outsiders(own_namespace()))
			return refuse_escape(HOOK_SB_MOUNT, (__u64)real_mount(path->mnt),
					     (__u64)path->dentry);
	}
	return refuse_cover(path, HOOK_SB_MOUNT);
}

static __always_inline int on_sb_mount(const char *dev_name, const struct path *path,
				       const char *type, unsigned long flags, void *data)
{
	int error = refuse_mount_call(path, flags);

	return error ? error : ask_mount(path, HOOK_SB_MOUNT);
}

static __always_inline int on_move_mount(const struct path *from_path, const struct path *to_path)
{
	struct mount *from = real_mount(from_path->mnt), *to = real_mount(to_path->mnt);
	int error = 0;

	/* A mount that is in no namespace yet goes away from nowhere. */
	if (from->mnt_parent != from || is_namespace_root(from)) {
		error = refuse_uncover(from, HOOK_MOVE_MOUNT);
		if (!error)
			error = ask_mount(from_path, HOOK_MOVE_MOUNT);
	}
	if (!error)
		error = refuse_cover(to_path, HOOK_MOVE_MOUNT);
	/* It may go beneath that mount: see MOVE_MOUNT_BENEATH. */
	if (!error && to_path->dentry == to->mnt.mnt_root)
		error = refuse_uncover(to, HOOK_MOVE_MOUNT);
	return error ? error : ask_mount(to_path, HOOK_MOVE_MOUNT);
}

static __always_inline int on_sb_umount(struct vfsmount *mnt, int flags)
{
	struct path path = { .mnt = mnt, .dentry = mnt->mnt_root };
	int error = refuse_uncover(real_mount(mnt), HOOK_SB_UMOUNT);

	return error ? error : ask_mount(&path, HOOK_SB_UMOUNT);
}

/* Read-only, neither these nor what has the records would take what commands change there. */
static __always_inline int on_sb_remount(struct super_block *sb, void *mnt_opts)
{
	int error = 0;

	if (has_vital_mounts(sb->s_magic) || has_records(sb))
		error = refuse_escape(HOOK_SB_REMOUNT, 0, (__u64)sb->s_root);
	return error ? error : ask_dentry(sb->s_root, MASK(ACTION_MOUNT), HOOK_SB_REMOUNT, -EPERM);
}

static __always_inline int on_sb_pivotroot(const struct path *old_path, const struct path *new_path)
{
	int error = 0;

	/* It changes the root of all who are in the namespace. */
	if (has_outsiders(own_namespace()))
		error = refuse_escape(HOOK_SB_PIVOTROOT, (__u64)real_mount(new_path->mnt),
				      (__u64)new_path->dentry);
	if (!error)
		error = ask_mount(new_path, HOOK_SB_PIVOTROOT);
	return error ? error : ask_mount(old_path, HOOK_SB_PIVOTROOT);
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

static long end_name(void *map, struct name_key *key, struct rule *rule, __u32 *dev)
{
	if (key->parent.dev == *dev)
		bpf_map_delete_elem(map, key);
	return 0;
}

/* A filesystem is gone: its s_dev may name another one next, so its rules and marks end. */
static __always_inline int on_sb_delete(struct super_block *sb)
{
	__u32 dev = sb->s_dev;

	overlay_gone(sb);
	if (!bpf_map_lookup_elem(&superblocks, &dev))
		return 0;
	bpf_for_each_map_elem(&fsview, end_rule, &dev, 0);
	bpf_for_each_map_elem(&names, end_name, &dev, 0);
	bpf_for_each_map_elem(&views, end_marks, &dev, 0);
	bpf_map_delete_elem(&superblocks, &dev);
	return 0;
}

#endif
