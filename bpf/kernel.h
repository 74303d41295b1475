/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's structs, under CO-RE: only the fields that are read.
 *
 * Where kernels differ, a flavour (NAME___what) holds the other form.
 */
#ifndef LANDLOCK_BPF_KERNEL_H
#define LANDLOCK_BPF_KERNEL_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

typedef unsigned short umode_t;

#define S_IFMT	      0170000
#define S_IFSOCK      0140000
#define S_IFLNK	      0120000
#define S_IFBLK	      0060000
#define S_IFDIR	      0040000
#define S_IFCHR	      0020000
#define S_IFIFO	      0010000
#define S_ISDIR(mode) (((mode)&S_IFMT) == S_IFDIR)
#define S_ISBLK(mode) (((mode)&S_IFMT) == S_IFBLK)
#define S_ISCHR(mode) (((mode)&S_IFMT) == S_IFCHR)

/* include/linux/fs.h */
#define FMODE_READ	    (1U << 0)
#define FMODE_WRITE	    (1U << 1)
#define FMODE_EXEC	    (1U << 5) /* in f_flags, as __FMODE_EXEC */
#define O_TRUNC		    01000U
#define S_PRIVATE	    (1U << 9)
#define SB_NOUSER	    (1UL << 31)
#define MNT_INTERNAL	    0x4000    /* include/linux/mount.h */
#define DCACHE_DISCONNECTED (1U << 5) /* include/linux/dcache.h */
#define RENAME_EXCHANGE	    (1U << 1)
#define MAY_EXEC	    0x1 /* include/linux/fs.h */
#define MAY_WRITE	    0x2
#define MAY_READ	    0x4
#define MAY_APPEND	    0x8
#define MAY_OPEN	    0x20
#define PROT_READ	    0x1 /* include/uapi/asm-generic/mman-common.h */
#define PROT_WRITE	    0x2
#define PROT_EXEC	    0x4
#define MAP_PRIVATE	    0x2
#define VM_SHARED	    0x8 /* include/linux/mm.h */

/* include/uapi/linux/magic.h */
#define BTRFS_SUPER_MAGIC     0x9123683EUL
#define OVERLAYFS_SUPER_MAGIC 0x794c7630UL

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
	const unsigned char *name;
};

struct super_block {
	__u32 s_dev;
	unsigned long s_flags;
	unsigned long s_magic;
	struct dentry *s_root;
	const struct export_operations *s_export_op;
};

struct inode {
	umode_t i_mode;
	unsigned int i_flags;
	struct super_block *i_sb;
	unsigned long i_ino; /* u64 since 7.1; the same eight bytes */
	__u32 i_generation;
};

struct dentry {
	unsigned int d_flags;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};

struct vfsmount {
	struct dentry *mnt_root;
	int mnt_flags;
};

struct mnt_namespace {
	__u64 seq; /* 0 for an anonymous one */
};

struct mnt_namespace___is_anon { /* 6.18 and later */
	_Bool is_anon;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
};

/* The mounts of a filesystem: a list until 6.17, then linked by themselves. */
struct list_head {
	struct list_head *next;
};

struct super_block___list {
	struct list_head s_mounts;
};

struct mount___list {
	struct list_head mnt_instance;
};

struct super_block___linked {
	struct mount *s_mounts;
};

struct mount___linked {
	struct mount *mnt_next_for_sb;
};

/* The names of an inode. */
struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct inode___names {
	struct hlist_head i_dentry;
};

struct dentry___union {
	union {
		struct hlist_node d_alias;
	} d_u;
};

struct dentry___plain { /* 7.1 and later */
	struct hlist_node d_alias;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	unsigned int f_mode;
	struct inode *f_inode;
	unsigned int f_flags;
	struct path f_path;
};

struct vm_area_struct {
	struct file *vm_file;
	unsigned long vm_flags;
};

struct io_uring_cmd {
	struct file *file;
	__u32 cmd_op;
};

struct seqcount {
	unsigned int sequence;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup_subsys_state {
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	struct css_set *cgroups;
};

/* Only passed on. */
struct cred;
struct file_kattr;
struct iattr;
struct mnt_idmap;
struct posix_acl;
struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop

/* Costs no instruction: the verifier replaces the call by a move. */
extern void *bpf_rdonly_cast(const void *address, __u32 btf_id) __ksym;

/* seqlock_t is a typedef of a nameless struct; its first member is the sequence. */
extern const void rename_lock __ksym;
extern const void mount_lock __ksym;

#define CAST(type, address) \
	((type *)bpf_rdonly_cast((void *)(address), bpf_core_type_id_kernel(type)))

static __always_inline struct mount *real_mount(const struct vfsmount *mnt)
{
	unsigned long offset = bpf_core_field_offset(struct mount, mnt);

	return CAST(struct mount, (void *)mnt - offset);
}

/*
 * Mounts that only the kernel makes, such as a stacking filesystem's of its layers. Their
 * mnt_ns is ERR_PTR(-EINVAL), but until 6.17 NULL for some that have the flag.
 */
static __always_inline _Bool is_private_mount(const struct mount *mount)
{
	return (__u64)mount->mnt_ns == (__u64)-EINVAL || mount->mnt.mnt_flags & MNT_INTERNAL;
}

/* A dentry without a parent that came from a file handle: its place is not known yet. */
static __always_inline _Bool is_lost(const struct dentry *dentry)
{
	return (dentry->d_flags & DCACHE_DISCONNECTED) != 0;
}

/* Whether a mount without a parent is the root of a mount namespace, not a detached one. */
static __always_inline _Bool is_namespace_root(const struct mount *mount)
{
	struct mnt_namespace *ns = mount->mnt_ns;

	if (!ns || (__u64)ns >= (__u64)-4095)
		return 0;
	if (bpf_core_field_exists(struct mnt_namespace___is_anon, is_anon))
		return !CAST(struct mnt_namespace___is_anon, ns)->is_anon;
	return ns->seq != 0;
}

static __always_inline __u32 sequence(const void *lock)
{
	return *(volatile unsigned int *)&CAST(struct seqcount, lock)->sequence;
}

#endif
