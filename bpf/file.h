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
#include "vital.h"

/*
 * Keep what was refused at open, for ftruncate(2) and ioctl(2) on that file.
 * The entry must hold, or they would be allowed: without room the open fails. What is only to be
 * reported then is not.
 */
static __noinline int keep_refused(struct room *room, struct file *file)
{
	const struct access *access = &room->access;
	struct state *state = the_state();
	__u64 key = (__u64)file;

	if (!state || bpf_map_update_elem(&opened, &key, &room->kept, BPF_ANY)) {
		if (!room->kept.refused)
			return 0;
		return deny_storage(HOOK_FILE_OPEN, access->mount, access->target, -EACCES);
	}
	__sync_fetch_and_add(&state->opened, 1);
	return 0;
}

static __always_inline __u64 open_actions(const struct file *file, umode_t mode)
{
	__u64 asked = 0;

	/* Opened for commands alone, by access mode 3: that takes the kernel's leave for both. */
	if (!(file->f_mode & (FMODE_READ | FMODE_WRITE)))
		asked = MASK(ACTION_READ_FILE) | MASK(ACTION_WRITE_FILE);
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

/*
 * Whether a file is swapped to, or is opened for that: so swapon(2) opens it, and of all others
 * only root's mkfs(8) does.
 */
static __always_inline _Bool is_for_swap(const struct file *file, const struct inode *inode)
{
	if (inode->i_flags & S_SWAPFILE)
		return 1;
	if ((file->f_flags & (O_ACCMODE | O_EXCL | O_CREAT | O_TMPFILE)) != (O_RDWR | O_EXCL))
		return 0;
	return bpf_get_current_task_btf()->cred->cap_effective.val & 1ULL << CAP_SYS_ADMIN;
}

/* What a file is asked for when it is opened, and denied then. */
static __always_inline __u64 asked_at_open(const struct file *file, const struct inode *inode)
{
	umode_t mode = inode->i_mode;
	__u64 asked = open_actions(file, mode);

	/* What a filesystem on it denies is there to be read; so are tmpfs and memory in swap. */
	if (S_ISBLK(mode) || (S_ISCHR(mode) && reaches_disks(inode->i_rdev)) ||
	    (S_ISREG(mode) && is_for_swap(file, inode)))
		asked |= MASK(ACTION_OPEN_BLOCK);
	return asked;
}

/* What a file is asked for when it is opened, and denied when it is done. */
static __always_inline __u64 kept_at_open(const struct file *file, umode_t mode)
{
	__u64 kept = 0;

	/* Only such a file can be truncated: no entry is spent on the others. */
	if (file->f_mode & FMODE_WRITE || file->f_flags & O_TRUNC)
		kept = MASK(ACTION_TRUNCATE);
	if (S_ISCHR(mode) || S_ISBLK(mode))
		kept |= MASK(ACTION_IOCTL_DEV);
	return kept;
}

static __always_inline int on_file_open(struct file *file)
{
	__u64 asked, optional;
	struct subject subject;
	struct dentry *dentry;
	struct mount *mount;
	struct room *room;
	int error;

	if (!find_subject(&subject))
		return 0;
	asked = asked_at_open(file, file->f_inode);
	optional = kept_at_open(file, file->f_inode->i_mode);
	dentry = file->f_path.dentry;
	mount = real_mount(file->f_path.mnt);
	if (!(refused_in_place(&subject, (__u64)mount, dentry, NULL) &
	      (UNKNOWN | asked | optional)))
		return 0;
	error = refuse_vital_file(file, HOOK_FILE_OPEN);
	if (error)
		return error;
	if (!is_ruled(dentry->d_sb, dentry->d_inode) || is_private_mount(mount))
		return 0;
	overlay_seen(dentry->d_sb);
	room = find_room();
	if (!room)
		return deny_storage(HOOK_FILE_OPEN, (__u64)mount, (__u64)dentry, -EACCES);

	room->access = (struct access){ .mount = (__u64)mount,
					.dentry = (__u64)dentry,
					.target = (__u64)dentry,
					.asked = asked,
					.optional = optional,
					.hook = HOOK_FILE_OPEN,
					.error = -EACCES };
	room->kept.refused = room->kept.noted = 0;
	error = ask(&subject, room);
	if (error || !(room->kept.refused | room->kept.noted))
		return error;
	return keep_refused(room, file);
}

static __always_inline int on_file_free_security(struct file *file)
{
	struct state *state = the_state();
	__u64 key = (__u64)file;

	if (state && state->opened && !bpf_map_delete_elem(&opened, &key))
		__sync_fetch_and_sub(&state->opened, 1);
	return 0;
}

/*
 * Deny what was refused when the file was opened, whoever asks now, as upstream. The command is
 * that of ioctl(2), where that is what is asked.
 */
static __noinline int ask_opened(struct file *file, __u64 asked, __u32 hook, __u32 command)
{
	struct state *state = the_state();
	__u64 key = (__u64)file;
	struct opened *kept;
	__u64 enforced;

	if (!state || !state->opened)
		return 0;
	kept = bpf_map_lookup_elem(&opened, &key);
	if (!kept || !((kept->refused | kept->noted) & asked))
		return 0;
	enforced = kept->refused & asked;

	struct report report = {
		.mount = (__u64)real_mount(file->f_path.mnt),
		.dentry = (__u64)file->f_path.dentry,
		.refusal = { .refused = enforced ? enforced : kept->noted & asked,
			     .serial = kept->serial,
			     .object = kept->object,
			     .domain = kept->domain,
			     .layer = kept->layer,
			     .hook = hook,
			     .reason = REASON_OPENED,
			     .command = command,
			     .error = -EACCES,
			     .permissive = !enforced,
			     .ioctl = asked == MASK(ACTION_IOCTL_DEV) },
	};

	emit(&report);
	return enforced ? -EACCES : 0;
}

static __always_inline int on_file_truncate(struct file *file)
{
	return ask_opened(file, MASK(ACTION_TRUNCATE), HOOK_FILE_TRUNCATE, 0);
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

/*
 * Ask for what is done to an open file now, whenever it was opened: for actions, and for an
 * ioctl command where there is one. What a stacking filesystem opened beneath itself stands
 * for the file that was asked for.
 */
static __always_inline int ask_file_as(struct file *file, __u64 asked, __u32 hook, _Bool ioctl,
				       __u32 command)
{
	struct vfsmount *mnt = file->f_path.mnt;
	struct dentry *dentry = file->f_path.dentry;
	struct subject subject;
	struct mount *mount;
	struct room *room;

	if (!find_subject(&subject))
		return 0;
	if (!(refused_in_place(&subject, (__u64)real_mount(mnt), dentry, NULL) &
	      (UNKNOWN | asked | (ioctl ? ACTIONS_OF_IOCTL : 0))))
		return 0;
	/* Only a stacking filesystem has files on a private mount that are in a tree. */
	if (is_ruled(dentry->d_sb, dentry->d_inode) && is_private_mount(real_mount(mnt))) {
		mnt = CAST(struct backing_file, file)->user_path.mnt;
		dentry = CAST(struct backing_file, file)->user_path.dentry;
	}
	mount = real_mount(mnt);
	if (!is_ruled(dentry->d_sb, dentry->d_inode) || is_private_mount(mount))
		return 0;
	room = find_room();
	if (!room)
		return deny_storage(hook, (__u64)mount, (__u64)dentry, -EACCES);
	room->access = (struct access){ .mount = (__u64)mount,
					.dentry = (__u64)dentry,
					.target = (__u64)dentry,
					.asked = asked,
					.hook = hook,
					.command = command,
					.error = -EACCES,
					.ioctl = ioctl };
	return ask(&subject, room);
}

static __always_inline int ask_file(struct file *file, __u64 asked, __u32 hook)
{
	return ask_file_as(file, asked, hook, 0, 0);
}

/* Commands to autofs, by /dev/autofs or a folder of its own: their type, and the numbers of it. */
static __always_inline _Bool is_of_autofs(__u32 command)
{
	return (command >> 8 & 0xff) == 0x93 && (command & 0xe0) == 0x60;
}

/*
 * What commands do that any file of a filesystem takes: file_getattr(2) and file_setattr(2) by
 * another name, and to read or change what lies anywhere in it, as who has its disk can. An
 * inode with another version is another object; subvolumes are made without a hook being asked.
 */
static __always_inline __u64 meant_by(__u32 command)
{
	switch (command) {
	case 0x80086601: /* FS_IOC_GETFLAGS */
	case 0x80046601: /* FS_IOC32_GETFLAGS */
	case 0x801c581f: /* FS_IOC_FSGETXATTR */
	case 0x80047210: /* FAT_IOCTL_GET_ATTRIBUTES */
		return MASK(ACTION_FILE_GETATTR);
	case 0x40086602: /* FS_IOC_SETFLAGS */
	case 0x40046602: /* FS_IOC32_SETFLAGS */
	case 0x401c5820: /* FS_IOC_FSSETXATTR */
	case 0x40806685: /* FS_IOC_ENABLE_VERITY */
	case 0x800c6613: /* FS_IOC_SET_ENCRYPTION_POLICY */
		return MASK(ACTION_FILE_SETATTR);
	case 0x40047211: /* FAT_IOCTL_SET_ATTRIBUTES */
		return MASK(ACTION_FILE_SETATTR) | MASK(ACTION_CHMOD);
	case 0x40087602: /* FS_IOC_SETVERSION */
	case 0x40047602: /* FS_IOC32_SETVERSION */
	case 0x40086604: /* EXT4_IOC_SETVERSION_OLD */
	case 0x40046604: /* EXT4_IOC32_SETVERSION_OLD */
	case 0xd0009411: /* BTRFS_IOC_TREE_SEARCH */
	case 0xc0709411: /* BTRFS_IOC_TREE_SEARCH_V2 */
	case 0xd0009412: /* BTRFS_IOC_INO_LOOKUP */
	case 0xd000943e: /* BTRFS_IOC_INO_LOOKUP_USER */
	case 0xc0389423: /* BTRFS_IOC_INO_PATHS */
	case 0x40489426: /* BTRFS_IOC_SEND */
	case 0x40449426: /* BTRFS_IOC_SEND_32 */
	case 0x5000940e: /* BTRFS_IOC_SUBVOL_CREATE */
	case 0x50009418: /* BTRFS_IOC_SUBVOL_CREATE_V2 */
	case 0x50009401: /* BTRFS_IOC_SNAP_CREATE */
	case 0x50009417: /* BTRFS_IOC_SNAP_CREATE_V2 */
	case 0x5000940f: /* BTRFS_IOC_SNAP_DESTROY */
	case 0x5000943f: /* BTRFS_IOC_SNAP_DESTROY_V2 */
	case 0x00006611: /* EXT4_IOC_SWAP_BOOT */
	case 0x40186f04: /* OCFS2_IOC_REFLINK: a copy of what it is told the path of */
	case 0x4048587b: /* XFS_IOC_ATTRMULTI_BY_HANDLE */
	case 0x4058587a: /* XFS_IOC_ATTRLIST_BY_HANDLE */
	case 0x4024587b: /* the same of 32 bits */
	case 0x4038587a:
	case 0xc040583f: /* XFS_IOC_GETPARENTS_BY_HANDLE */
	case 0xc0205865: /* XFS_IOC_FSBULKSTAT */
	case 0xc0205866: /* XFS_IOC_FSBULKSTAT_SINGLE */
	case 0xc0105865: /* the same of 32 bits */
	case 0xc0105866:
	case 0x8040587f: /* XFS_IOC_BULKSTAT */
	case 0xc038586c: /* XFS_IOC_READLINK_BY_HANDLE */
	case 0xc01c586c: /* the same of 32 bits */
	case 0x8004587d: /* FS_IOC_SHUTDOWN: the filesystem ends for everybody */
	case 0xc0045877: /* FIFREEZE: commands of ours would wait for it */
	case 0x5000940a: /* BTRFS_IOC_ADD_DEV */
	case 0x5000940b: /* BTRFS_IOC_RM_DEV */
	case 0x5000943a: /* BTRFS_IOC_RM_DEV_V2 */
	case 0xca289435: /* BTRFS_IOC_DEV_REPLACE */
	case 0x00002285: /* SG_IO, also of bsg */
	case 0xc0484e41: /* NVME_IOCTL_ADMIN_CMD */
	case 0x40304e42: /* NVME_IOCTL_SUBMIT_IO */
	case 0xc0484e43: /* NVME_IOCTL_IO_CMD */
	case 0xc0504e47: /* NVME_IOCTL_ADMIN64_CMD */
	case 0xc0504e48: /* NVME_IOCTL_IO64_CMD */
	case 0xc0504e49: /* NVME_IOCTL_IO64_CMD_VEC */
	case 0xc048b300: /* MMC_IOC_CMD */
	case 0xc008b301: /* MMC_IOC_MULTI_CMD */
	case 0xc058420b: /* CCISS_PASSTHRU */
	case 0xc054420b: /* CCISS_PASSTHRU32 */
	case 0xc0604212: /* CCISS_BIG_PASSTHRU */
	case 0xc0584212: /* CCISS_BIG_PASSTHRU32 */
	case 0xc1944d01: /* MEGASAS_IOC_FIRMWARE */
	case 0xc1144d01: /* MEGASAS_IOC_FIRMWARE32 */
	case 0xc0484c14: /* MPT3COMMAND */
	case 0xc0384c14: /* MPT3COMMAND32 */
	case 0xc0486d14: /* MPTCOMMAND */
	case 0xc0386d14: /* MPTCOMMAND32 */
	case 0x00042008: /* FSACTL_SENDFIB of aacraid */
	case 0x0004204c: /* FSACTL_SEND_RAW_SRB */
	case 0xc0406618: /* FS_IOC_REMOVE_ENCRYPTION_KEY: files get other names */
	case 0xc0406619: /* FS_IOC_REMOVE_ENCRYPTION_KEY_ALL_USERS */
		return MASK(ACTION_OPEN_BLOCK);
	default:
		/* By these, others unmount a filesystem, with which its rules end. */
		return is_of_autofs(command) ? MASK(ACTION_OPEN_BLOCK) : 0;
	}
}

static __always_inline int ask_ioctl(struct file *file, __u32 command, __u32 hook)
{
	int error = 0;

	if (types_for_others(command))
		error = refuse_command(file, hook, command);
	else if (!is_harmless_ioctl(command))
		error = ask_opened(file, MASK(ACTION_IOCTL_DEV), hook, command);
	return error ? error : ask_file_as(file, meant_by(command), hook, 1, command);
}

static __always_inline int on_file_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return ask_ioctl(file, cmd, HOOK_FILE_IOCTL);
}

static __always_inline int on_file_ioctl_compat(struct file *file, unsigned int cmd,
						unsigned long arg)
{
	return ask_ioctl(file, cmd, HOOK_FILE_IOCTL_COMPAT);
}

/*
 * A command by io_uring. To character devices it may be one for a disk, as to NVMe's and SCSI's,
 * whose numbers change: but not where the memory devices are, nor FUSE and its like.
 */
static __always_inline int on_uring_cmd(struct io_uring_cmd *ioucmd)
{
	struct file *file = ioucmd->file;
	__u64 asked = meant_by(ioucmd->cmd_op);
	struct inode *inode = file->f_inode;
	__u32 major = inode->i_rdev >> 20;
	int error;

	if (S_ISCHR(inode->i_mode) && major != MEM_MAJOR && major != MISC_MAJOR)
		asked |= MASK(ACTION_OPEN_BLOCK);
	error = ask_opened(file, MASK(ACTION_IOCTL_DEV), HOOK_URING_CMD, ioucmd->cmd_op);
	return error ? error : ask_file_as(file, asked, HOOK_URING_CMD, 1, ioucmd->cmd_op);
}

static __always_inline int on_file_lock(struct file *file, unsigned int cmd)
{
	return ask_file(file, MASK(ACTION_LOCK), HOOK_FILE_LOCK);
}

static __always_inline int on_file_fcntl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return ask_file(file, MASK(ACTION_FCNTL), HOOK_FILE_FCNTL);
}

static __always_inline int on_file_receive(struct file *file)
{
	int error = refuse_vital_file(file, HOOK_FILE_RECEIVE);

	return error ? error : ask_file(file, MASK(ACTION_RECEIVE), HOOK_FILE_RECEIVE);
}

static __always_inline int on_mmap_file(struct file *file, unsigned long reqprot,
					unsigned long prot, unsigned long flags)
{
	/* Newer kernels know that it may be NULL, and want it tested; to older ones it never is. */
	if (!(prot & PROT_EXEC) || !address_of(file) || !file)
		return 0;
	return ask_file(file, MASK(ACTION_MAP_EXEC), HOOK_MMAP_FILE);
}

static __always_inline int on_file_mprotect(struct vm_area_struct *vma, unsigned long reqprot,
					    unsigned long prot)
{
	struct file *file = vma->vm_file;

	if (!(prot & PROT_EXEC) || !file)
		return 0;
	return ask_file(file, MASK(ACTION_MAP_EXEC), HOOK_FILE_MPROTECT);
}

#endif
