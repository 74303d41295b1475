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
#define S_IFREG	      0100000
#define S_IFBLK	      0060000
#define S_IFDIR	      0040000
#define S_IFCHR	      0020000
#define S_IFIFO	      0010000
#define S_ISDIR(mode) (((mode)&S_IFMT) == S_IFDIR)
#define S_ISBLK(mode) (((mode)&S_IFMT) == S_IFBLK)
#define S_ISCHR(mode) (((mode)&S_IFMT) == S_IFCHR)
#define S_ISREG(mode) (((mode)&S_IFMT) == S_IFREG)

/* include/linux/fs.h */
#define MS_REMOUNT	    (1U << 5) /* include/uapi/linux/mount.h */
#define MS_BIND		    (1U << 12)
#define MS_MOVE		    (1U << 13)
#define MS_UNBINDABLE	    (1U << 17)
#define MS_PRIVATE	    (1U << 18)
#define MS_SLAVE	    (1U << 19)
#define MS_SHARED	    (1U << 20)
#define FS_REQUIRES_DEV	    1
#define FMODE_READ	    (1U << 0)
#define FMODE_WRITE	    (1U << 1)
#define FMODE_EXEC	    (1U << 5) /* in f_flags, as __FMODE_EXEC */
#define FMODE_PATH	    (1U << 14)
#define O_ACCMODE	    03U
#define O_RDWR		    02U
#define O_CREAT		    0100U
#define O_EXCL		    0200U
#define O_TRUNC		    01000U
#define O_TMPFILE	    020000000U /* __O_TMPFILE: without O_DIRECTORY */
#define S_SWAPFILE	    (1U << 8)
#define S_PRIVATE	    (1U << 9)
#define SB_KERNMOUNT	    (1UL << 22)
#define SB_NOUSER	    (1UL << 31)
#define MNT_INTERNAL	    0x4000    /* include/linux/mount.h */
#define DCACHE_DISCONNECTED (1U << 5) /* include/linux/dcache.h */
#define DCACHE_OP_COMPARE   (1U << 1)
#define RENAME_EXCHANGE	    (1U << 1)
#define MAY_EXEC	    0x1 /* include/linux/fs.h */
#define MAY_WRITE	    0x2
#define MAY_READ	    0x4
#define MAY_APPEND	    0x8
#define MAY_ACCESS	    0x10
#define MAY_OPEN	    0x20
#define MAY_CHDIR	    0x40
#define ATTR_MODE	    (1U << 0)
#define ATTR_UID	    (1U << 1)
#define ATTR_GID	    (1U << 2)
#define ATTR_SIZE	    (1U << 3)
#define ATTR_ATIME	    (1U << 4)
#define ATTR_MTIME	    (1U << 5)
#define PROT_READ	    0x1 /* include/uapi/asm-generic/mman-common.h */
#define PROT_WRITE	    0x2
#define PROT_EXEC	    0x4
#define MAP_PRIVATE	    0x2
#define VM_SHARED	    0x8 /* include/linux/mm.h */

/* include/uapi/linux/magic.h */
#define BTRFS_SUPER_MAGIC     0x9123683EUL
#define OVERLAYFS_SUPER_MAGIC 0x794c7630UL
#define ECRYPTFS_SUPER_MAGIC  0xf15f
#define UBIFS_SUPER_MAGIC     0x24051905UL
#define PROC_SUPER_MAGIC      0x9fa0UL
#define SYSFS_MAGIC	      0x62656572UL
#define CGROUP_SUPER_MAGIC    0x27e0ebUL
#define CGROUP2_SUPER_MAGIC   0x63677270UL
#define BPF_FS_MAGIC	      0xcafe4a11UL
#define DEBUGFS_MAGIC	      0x64626720UL
#define TRACEFS_MAGIC	      0x74726163UL
#define SECURITYFS_MAGIC      0x73636673UL
#define EFIVARFS_MAGIC	      0xde5e81e4UL
#define CONFIGFS_MAGIC	      0x62656570UL /* fs/configfs/mount.c */
#define BINFMTFS_MAGIC	      0x42494e4dUL
#define NFSD_MAGIC	      0x6e667364UL /* fs/nfsd/nfsctl.c */
#define FUSE_CTL_SUPER_MAGIC  0x65735543UL

/* include/uapi/linux/major.h */
#define MEM_MAJOR  1
#define MISC_MAJOR 10

#define CLONE_INTO_CGROUP	   0x200000000ULL
#define SIGKILL			   9
#define CAP_SYS_ADMIN		   21
#define CAP_PERFMON		   38
#define PTRACE_MODE_NOAUDIT	   0x4	/* include/linux/ptrace.h */
#define PERF_SECURITY_OPEN	   0	/* include/linux/perf_event.h */
#define PF_IO_WORKER		   0x10 /* include/linux/sched.h */
#define READING_MODULE		   2	/* include/linux/kernel_read_file.h */
#define READING_MODULE_COMPRESSED  7	/* newer kernels; else the end of the list */
#define READING_KEXEC_IMAGE	   3
#define READING_KEXEC_INITRAMFS	   4
#define BPF_TASK_ITER_ALL_THREADS  1 /* kernel/bpf/task_iter.c */
#define BPF_TASK_ITER_PROC_THREADS 2

/* include/uapi/linux/bpf.h: a loop without a function of its own (6.4 and later). */
struct bpf_iter_num {
	__u64 opaque;
};

struct bpf_iter_task {
	__u64 opaque[3];
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
	__u32 len;
	const unsigned char *name;
};

struct file_system_type {
	int fs_flags;
};

struct super_block {
	__u32 s_dev;
	struct file_system_type *s_type;
	unsigned long s_flags;
	unsigned long s_magic;
	struct dentry *s_root;
	const struct export_operations *s_export_op;
	void *s_fs_info;
};

struct inode_operations {
	struct dentry *(*lookup)(struct inode *, struct dentry *, unsigned int);
};

struct inode {
	umode_t i_mode;
	unsigned int i_flags;
	const struct inode_operations *i_op;
	struct super_block *i_sb;
	unsigned long i_ino; /* u64 since 7.1; the same eight bytes */
	__u32 i_generation;
	void *i_private;
	__u32 i_rdev;
};

struct dentry_operations {
	int (*d_revalidate)(void);
};

struct dentry {
	unsigned int d_flags;
	const struct dentry_operations *d_op;
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
	int mnt_group_id; /* of the mounts with which it shares what is mounted on it; 0: none */
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

/* What a stacking filesystem opens beneath itself, and for whom. */
struct backing_file {
	struct file file;
	struct path user_path;
};

struct iattr {
	unsigned int ia_valid;
};

struct socket {
	struct sock *sk;
};

struct unix_sock {
	struct path path;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
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

struct kernfs_node___plain { /* until 6.14 */
	struct kernfs_node *parent;
};

struct kernfs_node___rcu {
	struct kernfs_node *__parent;
};

struct cgroup_subsys_state {
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	struct css_set *cgroups;
	int pid; /* in the first pid namespace, unlike getpid(2) */
	struct task_struct *group_leader;
	__u64 start_boottime;
	const struct cred *real_cred;
	const struct cred *cred;
	struct nsproxy *nsproxy;
};

struct task_struct___ring { /* where there is io_uring */
	unsigned int flags;
	struct io_uring_task *io_uring;
};

typedef struct {
	__u64 val;
} kernel_cap_t;

struct cred {
	kernel_cap_t cap_effective;
};

/* Only passed on. */
struct cgroup_root;
struct file_kattr;
struct mnt_idmap;
struct posix_acl;
struct seq_file;
struct sock;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
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

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task,
			     unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;

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
