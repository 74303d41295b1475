/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The identity of an object: numbers that stay when it leaves the cache.
 *
 * btrfs gives every subvolume the same s_dev, and overlayfs gives inodes numbers
 * of its own that change, so those two are looked through.
 */
#ifndef LANDLOCK_BPF_OBJECT_H
#define LANDLOCK_BPF_OBJECT_H

#include "epoch.h"

#define SEEN_THROUGH_OVERLAY (1ULL << SUBVOL_OVERLAY)

/*
 * Whether an object is in a tree: pipes, sockets and memory files are not, and no policy
 * speaks of them.
 */
static __always_inline _Bool is_ruled(const struct super_block *sb, const struct inode *inode)
{
	return !(sb->s_flags & SB_NOUSER) && !(inode && inode->i_flags & S_PRIVATE);
}

/* A pointer as a number, which the verifier lets us add any offset to. */
static __always_inline __u64 address_of(const void *pointer)
{
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &pointer);
	return address;
}

static __always_inline __u64 read_address(__u64 address)
{
	__u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
	return value;
}

/* The id of the subvolume of a btrfs inode; 0 if the layout is not known, which no rule has. */
static __always_inline __u64 btrfs_subvolume(__u64 inode)
{
	struct state *state = the_state();
	__u64 root;

	if (!state || !state->layout.btrfs)
		return 0;
	root = read_address(inode + (__s64)state->layout.btrfs_root);
	return read_address(root + state->layout.btrfs_objectid);
}

/* The inode beneath one of overlayfs: of a lower layer that has it, else the upper; or NULL. */
static __always_inline struct inode *overlay_real(__u64 address)
{
	struct state *state = the_state();
	__u64 dentry = 0, entry;
	__u32 layers = 0, layer;

	if (!state || !state->layout.overlay)
		return NULL;
	entry = read_address(address + (__s64)state->layout.overlay_entry);
	if (entry)
		bpf_probe_read_kernel(&layers, sizeof(layers),
				      (void *)(entry + state->layout.overlay_layers));
	/*
	 * The first layer for a file: further ones hold its data only, and are looked up
	 * late. The last for a directory: upper ones may be added by a copy-up.
	 */
	layer = layers && S_ISDIR(CAST(struct inode, address)->i_mode) ? layers - 1 : 0;
	if (layers)
		dentry = read_address(entry + state->layout.overlay_stack +
				      (__u64)layer * state->layout.overlay_step +
				      state->layout.overlay_dentry);
	else
		dentry = read_address(address + (__s64)state->layout.overlay_upper);
	return dentry ? CAST(struct dentry, dentry)->d_inode : NULL;
}

/* The upper inode of one of overlayfs, or NULL. */
static __always_inline struct inode *overlay_upper(__u64 address)
{
	struct state *state = the_state();
	__u64 dentry;

	if (!state || !state->layout.overlay)
		return NULL;
	dentry = read_address(address + (__s64)state->layout.overlay_upper);
	return dentry ? CAST(struct dentry, dentry)->d_inode : NULL;
}

/* Name an inode of a filesystem that does not stack. */
static __always_inline void name_inode(struct object *object, struct inode *inode,
				       struct super_block *sb)
{
	object->ino = inode->i_ino;
	object->generation = inode->i_generation;
	object->dev = sb->s_dev;
	object->subvol = sb->s_magic == BTRFS_SUPER_MAGIC ? btrfs_subvolume(address_of(inode)) : 0;
}

/*
 * Look through overlayfs, on one more overlayfs at most, as the kernel stacks them.
 * Returns whether the real inode could be found.
 */
__noinline int name_overlay(struct object *object, __u64 inode)
{
	struct inode *real = overlay_real(inode);
	struct super_block *sb = real ? real->i_sb : NULL;

	if (!object)
		return 0;
	if (sb && sb->s_magic == OVERLAYFS_SUPER_MAGIC) {
		real = overlay_real(address_of(real));
		sb = real ? real->i_sb : NULL;
	}
	if (sb) {
		name_inode(object, real, sb);
		object->subvol |= SEEN_THROUGH_OVERLAY;
		return 1;
	}
	*object = (struct object){};
	return 0;
}

static __always_inline void name_object(struct object *object, struct inode *inode,
					struct super_block *sb)
{
	if (sb->s_magic == OVERLAYFS_SUPER_MAGIC)
		name_overlay(object, address_of(inode));
	else
		name_inode(object, inode, sb);
}

static __noinline void remember_creator(__u64 info, __u32 dev)
{
	struct state *state = the_state();
	__u64 creator;

	if (!state || !state->layout.overlay_creator)
		return;
	creator = read_address(info + state->layout.overlay_creator);
	if (creator && !bpf_map_lookup_elem(&creators, &creator))
		bpf_map_update_elem(&creators, &creator, &dev, BPF_ANY);
}

/* Remember with whose credentials an overlayfs does things by itself. */
static __always_inline void overlay_seen(struct super_block *sb)
{
	if (sb->s_magic == OVERLAYFS_SUPER_MAGIC)
		remember_creator((__u64)sb->s_fs_info, sb->s_dev);
}

static long forget_creator(void *map, __u64 *creator, __u32 *dev, __u32 *gone)
{
	if (*dev == *gone)
		bpf_map_delete_elem(map, creator);
	return 0;
}

/* Its credentials are freed with it, and their address is used again. */
static __always_inline void overlay_gone(struct super_block *sb)
{
	__u32 dev = sb->s_dev;

	if (sb->s_magic == OVERLAYFS_SUPER_MAGIC)
		bpf_for_each_map_elem(&creators, forget_creator, &dev, 0);
}

/*
 * Whether an overlayfs does this by itself, beneath itself: what it does for somebody was asked
 * of him. That somebody has other credentials than his own for a while proves nothing: io_uring
 * and access(2) do that too.
 */
static __always_inline _Bool is_overlay_itself(void)
{
	struct task_struct *current = bpf_get_current_task_btf();
	__u64 creator = (__u64)current->cred;

	return creator != (__u64)current->real_cred && bpf_map_lookup_elem(&creators, &creator);
}

/* Print struct named of each descriptor of the iterated task: user space learns keys here alone. */
static __always_inline int identify_file(struct bpf_iter__task_file *context)
{
	struct seq_file *seq = context->meta->seq;
	struct file *file = context->file;
	struct named named = {};
	struct state *state = the_state();
	struct inode *inode;
	struct super_block *sb;

	if (!file || !state)
		return 0;
	inode = file->f_inode;
	if (!inode)
		return 0;
	sb = inode->i_sb;
	named.fd = context->fd;
	named.mode = inode->i_mode;
	named.magic = sb->s_magic;
	named.known = 1;
	name_object(&named.object, inode, sb);
	if (named.magic == BTRFS_SUPER_MAGIC) {
		named.known = state->layout.btrfs;
	} else if (named.magic == OVERLAYFS_SUPER_MAGIC) {
		struct inode *real = overlay_real(address_of(inode));
		struct inode *upper = overlay_upper(address_of(inode));

		named.known = state->layout.overlay;
		if (real)
			named.exportable = real->i_sb->s_export_op != 0;
		named.beneath = named.object;
		named.beneath.subvol &= ~SEEN_THROUGH_OVERLAY;
		if (upper)
			name_object(&named.upper, upper, upper->i_sb);
	}
	bpf_seq_write(seq, &named, sizeof(named));
	return 0;
}

#endif
