/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hook bodies for paths: making and removing are asked of the directory, as upstream,
 * other changes of the object itself.
 */
#ifndef LANDLOCK_BPF_PATH_H
#define LANDLOCK_BPF_PATH_H

#include "access.h"
#include "approach.h"
#include "vital.h"

/* Ask for actions on dir; target is what an event names, and what is touched. */
static __always_inline int ask_path_as(const struct path *path, struct dentry *target, __u64 asked,
				       __u32 hook, enum touch touches, int error)
{
	struct dentry *dentry, *touched;
	struct subject subject;
	struct mount *mount;
	struct room *room;
	int refused;

	if (!find_subject(&subject))
		return 0;
	mount = real_mount(path->mnt);
	dentry = path->dentry;
	touched = touches == TOUCH_NOTHING ? NULL : target ? target : dentry;
	if (touched) {
		refused = refuse_pin(path, touched, touched, hook);
		if (!refused && hook == HOOK_PATH_RMDIR)
			refused = refuse_end(path, touched, NULL, hook);
		if (refused)
			return refused;
	}
	if (!(refused_in_place(&subject, (__u64)mount, dentry, touched) & (UNKNOWN | asked)))
		return 0;
	if (!is_ruled(dentry->d_sb, dentry->d_inode) || is_private_mount(mount))
		return 0;
	overlay_seen(dentry->d_sb);
	room = find_room();
	if (!room)
		return deny_storage(hook, (__u64)mount, (__u64)dentry, error);

	room->access = (struct access){ .mount = (__u64)mount,
					.dentry = (__u64)dentry,
					.target = (__u64)(target ? target : dentry),
					.asked = asked,
					.hook = hook,
					.touches = touches,
					.error = error };
	return ask(&subject, room);
}

static __always_inline int ask_path(const struct path *path, struct dentry *target, __u64 asked,
				    __u32 hook, enum touch touches)
{
	return ask_path_as(path, target, asked, hook, touches, -EACCES);
}

static __always_inline int on_path_truncate(const struct path *path)
{
	int error = refuse_vital(path, HOOK_PATH_TRUNCATE);

	return error ? error
		     : ask_path(path, NULL, MASK(ACTION_TRUNCATE), HOOK_PATH_TRUNCATE,
				TOUCH_NOTHING);
}

static __always_inline int on_path_unlink(const struct path *dir, struct dentry *dentry)
{
	return ask_path(dir, dentry, MASK(ACTION_REMOVE_FILE), HOOK_PATH_UNLINK, TOUCH_REMOVED);
}

static __always_inline int on_path_rmdir(const struct path *dir, struct dentry *dentry)
{
	return ask_path(dir, dentry, MASK(ACTION_REMOVE_DIR), HOOK_PATH_RMDIR, TOUCH_REMOVED);
}

static __always_inline int on_path_mkdir(const struct path *dir, struct dentry *dentry,
					 umode_t mode)
{
	return ask_path(dir, dentry, MASK(ACTION_MAKE_DIR), HOOK_PATH_MKDIR, TOUCH_MADE_DIR);
}

static __always_inline int on_path_symlink(const struct path *dir, struct dentry *dentry,
					   const char *old_name)
{
	return ask_path(dir, dentry, MASK(ACTION_MAKE_SYM), HOOK_PATH_SYMLINK, TOUCH_MADE);
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
	return ask_path(dir, dentry, make_action(mode), HOOK_PATH_MKNOD, TOUCH_MADE);
}

static __always_inline int on_path_chmod(const struct path *path, umode_t mode)
{
	int error = refuse_vital(path, HOOK_PATH_CHMOD);

	return error ? error
		     : ask_path(path, NULL, MASK(ACTION_CHMOD), HOOK_PATH_CHMOD, TOUCH_NOTHING);
}

static __always_inline int on_path_chown(const struct path *path, unsigned int uid,
					 unsigned int gid)
{
	int error = refuse_vital(path, HOOK_PATH_CHOWN);

	return error ? error
		     : ask_path(path, NULL, MASK(ACTION_CHOWN), HOOK_PATH_CHOWN, TOUCH_NOTHING);
}

static __always_inline int on_path_chroot(const struct path *path)
{
	return ask_path(path, NULL, MASK(ACTION_CHROOT), HOOK_PATH_CHROOT, TOUCH_NOTHING);
}

static __always_inline int on_inode_getattr(const struct path *path)
{
	return ask_path(path, NULL, MASK(ACTION_STAT), HOOK_INODE_GETATTR, TOUCH_NOTHING);
}

/* Sockets have the path they were bound to; one bound to none, or to an abstract name, has none. */
static __always_inline int ask_socket(struct sock *sock, __u32 hook)
{
	struct unix_sock *bound = CAST(struct unix_sock, sock);
	struct dentry *dentry = bound->path.dentry;

	if (!dentry)
		return 0;

	struct path path = { .mnt = bound->path.mnt, .dentry = dentry };

	return ask_path(&path, NULL, MASK(ACTION_RESOLVE_UNIX), hook, TOUCH_NOTHING);
}

static __always_inline int on_unix_stream_connect(struct sock *sock, struct sock *other,
						  struct sock *newsk)
{
	return ask_socket(other, HOOK_UNIX_STREAM_CONNECT);
}

static __always_inline int on_unix_may_send(struct socket *sock, struct socket *other)
{
	return ask_socket(other->sk, HOOK_UNIX_MAY_SEND);
}

#endif
