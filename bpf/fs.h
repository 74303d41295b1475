/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hook bodies for files and paths: which object is asked for which actions.
 *
 * The meaning of each right is upstream's (security/landlock/fs.c); a body returns
 * 0 or a negative errno.
 */
#ifndef LANDLOCK_BPF_FS_H
#define LANDLOCK_BPF_FS_H

#include "emit.h"

/* One access as a hook sees it. */
struct access {
	__u64 mount;  /* struct mount */
	__u64 dentry; /* the object asked */
	__u64 target; /* the dentry that an event names: the object, or what lies in it */
	__u64 asked;
	__u64 optional; /* rights to keep with an open file if refused, no reason to deny */
	__u32 hook;
	__u32 removes; /* whether target goes away or is replaced */
};

static __always_inline _Bool is_ruled(const struct dentry *dentry)
{
	struct super_block *sb = dentry->d_sb;
	struct inode *inode = dentry->d_inode;

	return !(sb->s_flags & SB_NOUSER) && !(inode && inode->i_flags & S_PRIVATE);
}

/* Refuse for lack of memory, before any ruleset was seen. */
static __noinline int deny_storage(__u32 hook, __u64 mount, __u64 dentry)
{
	struct event event = { .mount = mount,
			       .dentry = dentry,
			       .hook = hook,
			       .reason = REASON_FULL,
			       .error = -EACCES };

	emit(&event);
	return -EACCES;
}

/* Report what the walk that was just done refused. */
static __noinline int deny_walked(struct task *task, const struct sight *sight,
				  const struct access *access, __u64 refused)
{
	struct decision *decision = &task->walks[0].decision;
	struct event event = { .mount = access->mount,
			       .dentry = access->target,
			       .refused = refused,
			       .serial = sight->serial,
			       .object = decision->object,
			       .domain = sight->domain,
			       .layer = decision->layer,
			       .hook = access->hook,
			       .reason = decision->reason,
			       .error = -EACCES };

	emit(&event);
	return -EACCES;
}

/* The layers in which an object is sealed; what cannot be named may be a sealed one. */
static __always_inline __u32 seal_of(struct task *task, const struct sight *sight,
				     struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;
	struct rule *rule;

	if (!inode)
		return 0;
	task->walks[0].unnamed = 0;
	rule = rule_of(&task->walks[0], sight->index, inode, inode->i_sb);
	if (task->walks[0].unnamed)
		return 1;
	return rule ? rule->sealed : 0;
}

static __always_inline __u32 lowest_layer(__u32 mask)
{
	for_each_layer(layer, LIMIT_LAYERS) {
		if (mask & (1U << layer))
			return layer;
	}
	return 0;
}

/* Deny the removal or replacement of an object that has a denial, or lies on the way to one. */
static __noinline int deny_seal(struct task *task, const struct sight *sight,
				const struct access *access, __u32 sealed)
{
	struct event event = { .mount = access->mount,
			       .dentry = access->target,
			       .refused = access->asked,
			       .serial = sight->serial,
			       .object = task->walks[0].key.object,
			       .domain = sight->domain,
			       .layer = lowest_layer(sealed),
			       .hook = access->hook,
			       .reason = REASON_SEALED,
			       .error = -EACCES };

	emit(&event);
	return -EACCES;
}

/* Ask one domain for an access. */
__noinline int ask_domain(struct task *task, __u32 domain, struct access *access)
{
	struct sight *sight;
	__u64 refused;
	__u32 sealed;

	if (!task || !access)
		return -EACCES;
	sight = &task->sight;
	if (!see(sight, domain))
		return 0;
	if (access->removes) {
		sealed = seal_of(task, sight, CAST(struct dentry, access->target));
		if (sealed)
			return deny_seal(task, sight, access, sealed);
	}
	if (!((access->asked | access->optional) & sight->handled_any))
		return 0;
	refused = refused_object(task, sight, access->mount, CAST(struct dentry, access->dentry));
	if (refused & access->asked) {
		/* Walk again, for these actions alone: now the rule and its layer are wanted. */
		refused &= access->asked;
		walk_from(&task->walks[0], sight, access->mount, access->dentry, refused);
		return deny_walked(task, sight, access, refused);
	}
	refused &= access->optional;
	if (!refused)
		return 0;
	walk_from(&task->walks[0], sight, access->mount, access->dentry, refused);
	task->kept.refused |= refused;
	task->kept.serial = sight->serial;
	task->kept.object = task->walks[0].decision.object;
	task->kept.domain = domain;
	task->kept.layer = task->walks[0].decision.layer;
	return 0;
}

/* Ask all domains of the current task. Cgroup domains first: theirs is the wider net. */
static __always_inline int ask(struct subject *subject, struct access *access)
{
	int error = 0;

	if (subject->cgroup)
		error = ask_domain(subject->task, subject->cgroup, access);
	if (!error && subject->process)
		error = ask_domain(subject->task, subject->process, access);
	return error;
}

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
		return deny_storage(HOOK_FILE_OPEN, access->mount, access->target);
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
	if (!is_ruled(dentry) || is_private_mount(mount))
		return 0;
	if (found < 0)
		return deny_storage(HOOK_FILE_OPEN, (__u64)mount, (__u64)dentry);

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

	struct event event = { .mount = (__u64)real_mount(file->f_path.mnt),
			       .dentry = (__u64)file->f_path.dentry,
			       .refused = kept->refused & asked,
			       .serial = kept->serial,
			       .object = kept->object,
			       .domain = kept->domain,
			       .layer = kept->layer,
			       .hook = hook,
			       .reason = REASON_OPENED,
			       .error = -EACCES };

	emit(&event);
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

/* Ask for actions on dir; target is what an event names. */
static __always_inline int ask_path(const struct path *path, struct dentry *target, __u64 asked,
				    __u32 hook, _Bool removes)
{
	struct subject subject;
	struct dentry *dentry;
	struct mount *mount;
	int found = find_subject(&subject);

	if (!found)
		return 0;
	dentry = path->dentry;
	mount = real_mount(path->mnt);
	if (!is_ruled(dentry))
		return 0;
	if (found < 0)
		return deny_storage(hook, (__u64)mount, (__u64)dentry);

	struct access access = { .mount = (__u64)mount,
				 .dentry = (__u64)dentry,
				 .target = (__u64)(target ? target : dentry),
				 .asked = asked,
				 .hook = hook,
				 .removes = removes };

	return ask(&subject, &access);
}

static __always_inline int on_path_truncate(const struct path *path)
{
	return ask_path(path, NULL, MASK(ACTION_TRUNCATE), HOOK_PATH_TRUNCATE, 0);
}

static __always_inline int on_path_unlink(const struct path *dir, struct dentry *dentry)
{
	return ask_path(dir, dentry, MASK(ACTION_REMOVE_FILE), HOOK_PATH_UNLINK, 1);
}

static __always_inline int on_path_rmdir(const struct path *dir, struct dentry *dentry)
{
	return ask_path(dir, dentry, MASK(ACTION_REMOVE_DIR), HOOK_PATH_RMDIR, 1);
}

static __always_inline int on_path_mkdir(const struct path *dir, struct dentry *dentry,
					 umode_t mode)
{
	return ask_path(dir, dentry, MASK(ACTION_MAKE_DIR), HOOK_PATH_MKDIR, 0);
}

static __always_inline int on_path_symlink(const struct path *dir, struct dentry *dentry,
					   const char *old_name)
{
	return ask_path(dir, dentry, MASK(ACTION_MAKE_SYM), HOOK_PATH_SYMLINK, 0);
}

/* The right to make a file of a type; an unknown type counts as a regular file, as upstream. */
static __always_inline __u64 make_action(umode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFLNK:
		return MASK(ACTION_MAKE_SYM);
	case S_IFDIR:
		return MASK(ACTION_MAKE_DIR);
	case S_IFCHR:
		return MASK(ACTION_MAKE_CHAR);
	case S_IFBLK:
		return MASK(ACTION_MAKE_BLOCK);
	case S_IFIFO:
		return MASK(ACTION_MAKE_FIFO);
	case S_IFSOCK:
		return MASK(ACTION_MAKE_SOCK);
	default: /* mknod(2) takes 0 for a regular file */
		return MASK(ACTION_MAKE_REG);
	}
}

static __always_inline int on_path_mknod(const struct path *dir, struct dentry *dentry,
					 umode_t mode, unsigned int dev)
{
	return ask_path(dir, dentry, make_action(mode), HOOK_PATH_MKNOD, 0);
}

#endif
