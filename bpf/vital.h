/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Vital files: those that control the kernel, and with it the engine, and the controller's
 * records. In a domain none is opened for writing, made, removed or given away, whatever
 * policies say; records are not opened at all, for who can read a lock file can lock it.
 */
#ifndef LANDLOCK_BPF_VITAL_H
#define LANDLOCK_BPF_VITAL_H

#include "leaving.h"

/* The first bytes of a name as a number, the final 0 and what is beyond being 0. */
struct short_name {
	__u64 first;
	__u64 second;
};

#define BYTE(text, at) ((__u64)(at < sizeof(text) ? (text)[at < sizeof(text) ? at : 0] : 0))
#define WORD(text, at)                                                                    \
	(BYTE(text, at) | BYTE(text, at + 1) << 8 | BYTE(text, at + 2) << 16 |            \
	 BYTE(text, at + 3) << 24 | BYTE(text, at + 4) << 32 | BYTE(text, at + 5) << 40 | \
	 BYTE(text, at + 6) << 48 | BYTE(text, at + 7) << 56)
#define IS_NAMED(name, text) ((name)->first == WORD(text, 0) && (name)->second == WORD(text, 8))

static __always_inline void read_name(struct short_name *name, const struct dentry *dentry)
{
	*name = (struct short_name){};
	bpf_probe_read_kernel_str(name, sizeof(*name), dentry->d_name.name);
}

/* The names by which a file of proc or sysfs is reached from its root: the first two. */
struct lineage {
	__u64 dentry;
	struct short_name top;
	struct short_name second;
	__u32 rpc;  /* whether any is `rpc` */
	__u32 disk; /* whether any is `block` or `bcache`, or begins with `nvme` */
	__u32 whole;
	__u32 pad;
};

static long climb_lineage(__u32 index, struct lineage *lineage)
{
	struct dentry *dentry = CAST(struct dentry, lineage->dentry);
	struct dentry *parent = dentry->d_parent;

	if (parent == dentry) {
		lineage->whole = 1;
		return 1;
	}
	lineage->second = lineage->top;
	read_name(&lineage->top, dentry);
	if (IS_NAMED(&lineage->top, "rpc"))
		lineage->rpc = 1;
	if (IS_NAMED(&lineage->top, "block") || IS_NAMED(&lineage->top, "bcache") ||
	    (__u32)lineage->top.first == WORD("nvme", 0))
		lineage->disk = 1;
	lineage->dentry = (__u64)parent;
	return 0;
}

/* Whether a file of proc is about more than a process, or its namespace's network and users. */
static __always_inline _Bool is_vital_proc(const struct lineage *lineage)
{
	const struct short_name *top = &lineage->top;
	char digit = (char)top->first;

	if (digit >= '0' && digit <= '9')
		return lineage->rpc; /* net/rpc: whom the NFS server serves */
	if (IS_NAMED(top, "sys"))
		return !IS_NAMED(&lineage->second, "net") && !IS_NAMED(&lineage->second, "user");
	return !IS_NAMED(top, "pressure");
}

/* Whether by a file of a device, or of a bus, devices come and go: a disk comes back as another. */
static __always_inline _Bool is_of_presence(const struct short_name *name)
{
	return IS_NAMED(name, "delete") || IS_NAMED(name, "remove") || IS_NAMED(name, "scan") ||
	       IS_NAMED(name, "rescan") || IS_NAMED(name, "dev_rescan") ||
	       IS_NAMED(name, "reset") || IS_NAMED(name, "link_reset") ||
	       IS_NAMED(name, "hard_reset") || IS_NAMED(name, "issue_lip") ||
	       IS_NAMED(name, "enable") || IS_NAMED(name, "disable") || IS_NAMED(name, "eject") ||
	       IS_NAMED(name, "authorized") || IS_NAMED(name, "driver_override") ||
	       IS_NAMED(name, "bConfigurationV"); /* bConfigurationValue: 15 bytes are read */
}

/*
 * Whether a file of sysfs belongs to no device, or to the machine's parts (CPUs, memory, machine
 * checks, which may start a program), or to a disk: by these, one is copied to another; or has
 * devices come and go.
 */
static __always_inline _Bool is_vital_sysfs(const struct lineage *lineage,
					    const struct short_name *name)
{
	if (lineage->disk || is_of_presence(name))
		return 1;
	if (IS_NAMED(&lineage->top, "devices"))
		return IS_NAMED(&lineage->second, "system");
	return !IS_NAMED(&lineage->top, "class");
}

/* Character devices that read and write disks, by what they are; dev_t has 20 bits of minor. */
static __always_inline _Bool reaches_disks(__u32 device)
{
	switch (device >> 20) {
	case 21:  /* SCSI_GENERIC_MAJOR */
	case 90:  /* MTD_CHAR_MAJOR */
	case 162: /* RAW_MAJOR */
		return 1;
	default:
		return device == (MISC_MAJOR << 20 | 236); /* the device mapper's control */
	}
}

/* Refuse the way out of a cgroup's domain: the lists of tasks of cgroups outside of it. */
static __noinline int ask_task_list(struct report *report, struct kernfs_node *node)
{
	struct subject subject;
	int error;

	if (!find_subject(&subject))
		return 0;
	for_each_domain(domain, &subject)
	{
		error = is_outside(node, domain) ? refuse_in(domain, report, 0) : 0;
		if (error)
			return error;
	}
	return 0;
}

/* Refuse to write to what the report names if it is vital. A global function: see walk_up(). */
__noinline int ask_vital(struct report *report)
{
	struct lineage lineage = {};
	struct short_name name;
	struct dentry *dentry;
	struct inode *inode;
	_Bool vital = 1;

	if (!report)
		return 0;
	dentry = CAST(struct dentry, report->dentry);
	inode = dentry->d_inode;
	if (!inode)
		return 0;
	lineage.dentry = report->dentry;
	switch (dentry->d_sb->s_magic) {
	case PROC_SUPER_MAGIC:
		bpf_loop(LIMIT_DEPTH, climb_lineage, &lineage, 0);
		read_name(&name, dentry);
		/* Without the compiler no program of ours is loaded any more. */
		vital = !lineage.whole || is_vital_proc(&lineage) ||
			name.first == WORD("bpf_jit_", 0);
		break;
	case SYSFS_MAGIC:
		bpf_loop(LIMIT_DEPTH, climb_lineage, &lineage, 0);
		read_name(&name, dentry);
		vital = !lineage.whole || is_vital_sysfs(&lineage, &name);
		break;
	case CGROUP_SUPER_MAGIC:
		read_name(&name, dentry);
		vital = IS_NAMED(&name, "release_agent");
		break;
	case CGROUP2_SUPER_MAGIC:
		read_name(&name, dentry);
		if (IS_NAMED(&name, "cgroup.procs") || IS_NAMED(&name, "cgroup.threads"))
			return ask_task_list(report, CAST(struct kernfs_node, inode->i_private));
		vital = 0;
		break;
	}
	return vital ? refuse_all(report) : 0;
}

static __noinline int ask_vital_at(__u32 hook, __u64 mount, __u64 dentry)
{
	struct report report = { .mount = mount,
				 .dentry = dentry,
				 .refusal = { .hook = hook, .reason = REASON_DOMAIN } };

	return ask_vital(&report);
}

/* Refuse to write to a vital file, or to give it away. */
static __always_inline int refuse_vital(const struct path *path, __u32 hook)
{
	struct dentry *dentry = path->dentry;

	if (is_record(dentry))
		return refuse_escape(hook, (__u64)real_mount(path->mnt), (__u64)dentry);
	if (!may_be_vital(dentry->d_sb->s_magic))
		return 0;
	return ask_vital_at(hook, (__u64)real_mount(path->mnt), (__u64)dentry);
}

/* Refuse to open a vital file for writing, or to receive it. */
static __always_inline int refuse_vital_file(struct file *file, __u32 hook)
{
	struct dentry *dentry = file->f_path.dentry;

	if (is_record(dentry))
		return refuse_escape(hook, (__u64)real_mount(file->f_path.mnt), (__u64)dentry);
	if (!(file->f_mode & FMODE_WRITE) || !may_be_vital(dentry->d_sb->s_magic))
		return 0;
	return ask_vital_at(hook, (__u64)real_mount(file->f_path.mnt), (__u64)dentry);
}

/* Whether to make or remove something in a filesystem controls the kernel, or unpins the engine. */
static __always_inline _Bool has_vital_folders(__u64 magic)
{
	switch (magic) {
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC: /* nobody can */
	case CGROUP_SUPER_MAGIC:
	case CGROUP2_SUPER_MAGIC: /* whoever makes one is bound there as before */
		return 0;
	default:
		return may_be_vital(magic);
	}
}

/*
 * Refuse to make, to remove, to mount over or to unmount anything in the bpffs or among records,
 * and to mount on cgroups: by these pins and paths commands find the engine and whom it binds.
 * In configfs, tracefs and their like folders are commands.
 */
static __always_inline int refuse_pin(const struct path *path, struct dentry *dentry,
				      struct dentry *second, __u32 hook)
{
	struct super_block *sb = path->dentry->d_sb;

	if (!has_vital_folders(sb->s_magic) &&
	    (!has_records(sb) ||
	     (!is_record(path->dentry) && !is_record(dentry) && !is_record(second))))
		return 0;
	return refuse_escape(hook, (__u64)real_mount(path->mnt), (__u64)dentry);
}

/* Whether commands find the engine, or whom it binds, where a filesystem is mounted. */
static __always_inline _Bool has_vital_mounts(__u64 magic)
{
	return magic == BPF_FS_MAGIC || magic == CGROUP2_SUPER_MAGIC;
}

static __always_inline int refuse_mount(const struct path *path, __u32 hook)
{
	if (!has_vital_mounts(path->dentry->d_sb->s_magic) && !is_record(path->dentry))
		return 0;
	return refuse_escape(hook, (__u64)real_mount(path->mnt), (__u64)path->dentry);
}

/* Refuse a filesystem on a disk, which is read by that, by layers of which no rule allows to open
 * any. */
static __noinline int refuse_disk(void)
{
	struct report report = { .refusal = { .refused = MASK(ACTION_OPEN_BLOCK),
					      .hook = HOOK_SB_SET_MNT_OPTS,
					      .reason = REASON_NO_RULE } };
	struct ruleset *ruleset;
	struct subject subject;
	struct sight sight;
	int error = 0;

	if (!find_subject(&subject))
		return 0;
	for_each_domain(domain, &subject)
	{
		ruleset = see_ruleset(&sight, domain);
		if (!error && ruleset && ruleset->diskless)
			error = refuse_by(domain, ruleset->diskless, &report, 0);
	}
	return error;
}

/*
 * A filesystem gets its options, before anybody sees it. One of cgroup v1 may have a program
 * among them that the kernel starts when a cgroup gets empty; overlayfs and eCryptfs show what
 * is beneath them without the directories around it, where denials may be.
 */
static __always_inline int on_sb_set_mnt_opts(struct super_block *sb, void *mnt_opts,
					      unsigned long kern_flags,
					      unsigned long *set_kern_flags)
{
	overlay_seen(sb);
	if (sb->s_type->fs_flags & FS_REQUIRES_DEV || sb->s_magic == UBIFS_SUPER_MAGIC)
		return refuse_disk();
	if (sb->s_magic != CGROUP_SUPER_MAGIC && sb->s_magic != OVERLAYFS_SUPER_MAGIC &&
	    sb->s_magic != ECRYPTFS_SUPER_MAGIC)
		return 0;
	return refuse_escape(HOOK_SB_SET_MNT_OPTS, 0, 0);
}

#endif
