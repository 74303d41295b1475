/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hook bodies for paths: making and removing are asked of the directory, as upstream.
 */
#ifndef LANDLOCK_BPF_PATH_H
#define LANDLOCK_BPF_PATH_H

#include "access.h"

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
	if (!is_ruled(dentry->d_sb, dentry->d_inode))
		return 0;
	if (found < 0)
		return deny_storage(hook, (__u64)mount, (__u64)dentry, -EACCES);

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
