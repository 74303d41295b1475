/* SPDX-License-Identifier: GPL-2.0-only */
/* Where an object is to be seen: the names of an inode, the mounts of a filesystem. */
#ifndef LANDLOCK_BPF_SEEN_H
#define LANDLOCK_BPF_SEEN_H

#include "object.h"

static __always_inline struct dentry *dentry_of(__u64 alias)
{
	unsigned long offset;

	if (bpf_core_field_exists(struct dentry___plain, d_alias))
		offset = bpf_core_field_offset(struct dentry___plain, d_alias);
	else
		offset = bpf_core_field_offset(struct dentry___union, d_u.d_alias);
	return CAST(struct dentry, alias - offset);
}

/* The first name of an inode, as an address of its hlist_node; 0: it has none. */
static __always_inline __u64 first_alias(__u64 inode)
{
	return (__u64)CAST(struct inode___names, inode)->i_dentry.first;
}

/* The mount of a filesystem after another one, or its first; 0: there is none. */
static __always_inline __u64 next_mount(struct super_block *sb, __u64 mount)
{
	unsigned long list, head;
	__u64 next;

	if (bpf_core_field_exists(struct mount___linked, mnt_next_for_sb)) {
		if (mount)
			return (__u64)CAST(struct mount___linked, mount)->mnt_next_for_sb;
		return (__u64)CAST(struct super_block___linked, sb)->s_mounts;
	}
	list = bpf_core_field_offset(struct mount___list, mnt_instance);
	head = bpf_core_field_offset(struct super_block___list, s_mounts);
	next = (__u64)(mount ? CAST(struct mount___list, mount)->mnt_instance.next
			     : CAST(struct super_block___list, sb)->s_mounts.next);
	return next == address_of(sb) + head ? 0 : next - list;
}

/* Whether a dentry lies beneath the root of a mount of its filesystem. */
static __always_inline _Bool is_seen(const struct mount *mount, struct dentry *dentry)
{
	struct dentry *root = mount->mnt.mnt_root, *parent;
	struct bpf_iter_num steps;
	_Bool seen = 0;

	bpf_iter_num_new(&steps, 0, LIMIT_DEPTH);
	while (bpf_iter_num_next(&steps)) {
		if (dentry == root) {
			seen = 1;
			break;
		}
		parent = dentry->d_parent;
		if (parent == dentry)
			break;
		dentry = parent;
	}
	bpf_iter_num_destroy(&steps);
	return seen;
}

#endif
