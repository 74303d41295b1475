/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hook bodies for open files: what an open asks for, and what it fixes for later.
 *
 * The meaning of each right is upstream's (security/landlock/fs.c); a body returns
 * 0 or a negative errno.
 */
#ifndef LANDLOCK_BPF_FILE_H
#define LANDLOCK_BPF_FILE_H

#include "access.h"

/*
 * Keep what was refused at open, for ftruncate(2) and ioctl(2) on that file.
 * The entry must hold, or they would be allowed: without room the open fails.
 */
static __noinline int keep_refused(struct task *task, struct file *file,
				   const struct access *access)
{
	struct state *state = the_state();
	__u64 key = (__u64)file;

	if (!state || bpf_map_update_elem(&opened, &key, &task->kept, BPF_ANY))
		return deny_storage(HOOK_FILE_OPEN, access->mount, access->target, -EACCES);
	__sync_fetch_and_add(&state->opened, 1);
	return 0;
}

static __always_inline __u64 open_actions(const struct file *file, umode_t mode)
{
	__u64 asked = 0;

	if (file->f_mode & FMODE_READ) {
		if (S_ISDIR(mode)) /* can only be opened to be read */
			return MASK(ACTION_READ_DIR);
		asked = MASK(ACTION_READ_FILE);
	}
	if (file->f_mode & FMODE_WRITE)
		asked |= MASK(ACTION_WRITE_FILE);
	if (file->f_flags & FMODE_EXEC)
		asked |= MASK(ACTION_EXECUTE);
	return asked;
}

/* What one domain refuses, if that takes few instructions, else UNKNOWN. */
static __always_inline __u64 open_quickly(struct task *task, __u32 domain, struct file *file)
{
	struct sight sight;

	if (!see(&sight, domain))
		return 0;
	return refused_quickly(task, &sight, (__u64)real_mount(file->f_path.mnt),
			       file->f_path.dentry, file->f_inode);
}

static __always_inline int on_file_open(struct file *file)
{
	struct subject subject;
	struct dentry *dentry;
	struct mount *mount;
	struct inode *inode;
	__u64 asked, optional = 0, refused;
	umode_t mode;
	int found = find_subject(&subject);
	int error;

	if (!found)
		return 0;
	inode = file->f_inode;
	mode = inode->i_mode;
	asked = open_actions(file, mode);
	/* Only such a file can be truncated: no entry is spent on the others. */
	if (file->f_mode & FMODE_WRITE || file->f_flags & O_TRUNC)
		optional = MASK(ACTION_TRUNCATE);
	if (S_ISCHR(mode) || S_ISBLK(mode))
		optional |= MASK(ACTION_IOCTL_DEV);
	if (found > 0 && !S_ISDIR(mode)) {
		refused = open_quickly(subject.task, subject.cgroup, file) |
			  open_quickly(subject.task, subject.process, file);
		if (!(refused & (UNKNOWN | asked | optional)))
			return 0;
	}
	dentry = file->f_path.dentry;
	mount = real_mount(file->f_path.mnt);
	if (!is_ruled(dentry->d_sb, dentry->d_inode) || is_private_mount(mount))
		return 0;
	if (found < 0)
		return deny_storage(HOOK_FILE_OPEN, (__u64)mount, (__u64)dentry, -EACCES);

	struct access access = { .mount = (__u64)mount,
				 .dentry = (__u64)dentry,
				 .target = (__u64)dentry,
				 .asked = asked,
				 .optional = optional,
				 .hook = HOOK_FILE_OPEN };

	subject.task->kept.refused = 0;
	error = ask(&subject, &access);
	if (error || !subject.task->kept.refused)
		return error;
	return keep_refused(subject.task, file, &access);
}

static __always_inline int on_file_free_security(struct file *file)
{
	struct state *state = the_state();
	__u64 key = (__u64)file;

	if (state && state->opened && !bpf_map_delete_elem(&opened, &key))
		__sync_fetch_and_sub(&state->opened, 1);
	return 0;
}

/* Deny what was refused when the file was opened, whoever asks now, as upstream. */
static __always_inline int ask_opened(struct file *file, __u64 asked, __u32 hook)
{
	struct state *state = the_state();
	__u64 key = (__u64)file;
	struct opened *kept;

	if (!state || !state->opened)
		return 0;
	kept = bpf_map_lookup_elem(&opened, &key);
	if (!kept || !(kept->refused & asked))
		return 0;

	struct report report = {
		.mount = (__u64)real_mount(file->f_path.mnt),
		.dentry = (__u64)file->f_path.dentry,
		.refusal = { .refused = kept->refused & asked,
			     .serial = kept->serial,
			     .object = kept->object,
			     .domain = kept->domain,
			     .layer = kept->layer,
			     .hook = hook,
			     .reason = REASON_OPENED,
			     .error = -EACCES },
	};

	emit(&report);
	return -EACCES;
}

static __always_inline int on_file_truncate(struct file *file)
{
	return ask_opened(file, MASK(ACTION_TRUNCATE), HOOK_FILE_TRUNCATE);
}

/* Commands that no device implements, or that fcntl(2) and any other file offer as well. */
static __always_inline _Bool is_harmless_ioctl(__u32 command)
{
	switch (command) {
	case 0x5450:	 /* FIONCLEX */
	case 0x5451:	 /* FIOCLEX */
	case 0x5421:	 /* FIONBIO */
	case 0x5452:	 /* FIOASYNC */
	case 0x5460:	 /* FIOQSIZE */
	case 0xc0045877: /* FIFREEZE */
	case 0xc0045878: /* FITHAW */
	case 0xc020660b: /* FS_IOC_FIEMAP */
	case 0x00000002: /* FIGETBSZ */
	case 0x40049409: /* FICLONE */
	case 0x4020940d: /* FICLONERANGE */
	case 0xc0189436: /* FIDEDUPERANGE */
	case 0x80111500: /* FS_IOC_GETFSUUID */
	case 0x80811501: /* FS_IOC_GETFSSYSFSPATH */
		return 1;
	default:
		return 0;
	}
}

static __always_inline int on_file_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	if (is_harmless_ioctl(cmd))
		return 0;
	return ask_opened(file, MASK(ACTION_IOCTL_DEV), HOOK_FILE_IOCTL);
}

static __always_inline int on_file_ioctl_compat(struct file *file, unsigned int cmd,
						unsigned long arg)
{
	if (is_harmless_ioctl(cmd))
		return 0;
	return ask_opened(file, MASK(ACTION_IOCTL_DEV), HOOK_FILE_IOCTL_COMPAT);
}

#endif
