/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hook bodies for metadata whose hooks are told no mount: a dentry, or an inode alone.
 *
 * An object is asked for on every mount of the task's namespace on which it is to be
 * seen, and all must allow: which of them was used is not known. What is seen on none of
 * these came as a descriptor from elsewhere, and all mounts of its filesystem are asked.
 */
#ifndef LANDLOCK_BPF_METADATA_H
#define LANDLOCK_BPF_METADATA_H

#include "file.h"
#include "path.h"
#include "seen.h"

/* The mount namespace of the current task; 0 while it exits. */
static __always_inline __u64 own_namespace(void)
{
	struct nsproxy *nsproxy = bpf_get_current_task_btf()->nsproxy;

	return nsproxy ? address_of(nsproxy->mnt_ns) : 0;
}

/*
 * Deny in one domain what cannot be decided, and report it. Where its layers that rule on what is
 * asked merely report, it does so here as well. A global function: see walk_up().
 */
__noinline int deny_undecided(struct room *room, __u32 domain, __u32 reason)
{
	struct report report = {};
	struct ruleset *ruleset;
	__u32 handling = 0, enforced;

	if (!room)
		return -EACCES;
	ruleset = see_ruleset(&room->sight, domain);
	if (!ruleset)
		return 0;
	for_each_layer(layer, LIMIT_LAYERS) {
		__u64 asked = ruleset->handled[layer] & room->access.asked;

		/* Its top bit says whether any is set: a branch a layer is too many. */
		asked |= -asked;
		barrier_var(asked);
		handling |= (asked >> 63) << layer;
	}
	if (!handling)
		return 0;
	enforced = handling & ~ruleset->permissive;
	report.dentry = room->access.target;
	report.refusal.refused = room->access.asked;
	report.refusal.serial = room->sight.serial;
	report.refusal.domain = domain;
	report.refusal.layer = lowest_layer(enforced ? enforced : handling);
	report.refusal.hook = room->access.hook;
	report.refusal.reason = reason;
	report.refusal.error = room->access.error;
	report.refusal.permissive = !enforced;
	emit(&report);
	return enforced ? room->access.error : 0;
}

#define NOT_SEEN 1

/*
 * Ask a domain for room->access on each mount on which its dentry is seen: in its mount
 * namespace, or anywhere. Returns 0, a negative errno, or NOT_SEEN. A global function: see
 * walk_up().
 */
__noinline int ask_shown(struct room *room, __u32 domain, _Bool anywhere)
{
	__u64 namespace = anywhere ? 0 : own_namespace();
	struct access *access;
	struct dentry *dentry;
	struct bpf_iter_num steps;
	struct mount *mount;
	__u64 address = 0;
	int error = NOT_SEEN;

	if (!room)
		return -EACCES;
	access = &room->access;
	if (!see(&room->sight, domain) || !(access->asked & room->sight.handled_any))
		return 0;
	dentry = CAST(struct dentry, access->dentry);
	bpf_iter_num_new(&steps, 0, LIMIT_SHOWN + 1); /* the last sees that there are no more */
	while (error >= 0 && bpf_iter_num_next(&steps)) {
		address = next_mount(dentry->d_sb, address);
		if (!address)
			break;
		mount = CAST(struct mount, address);
		if (is_private_mount(mount))
			continue;
		if (namespace && (__u64)mount->mnt_ns != namespace)
			continue;
		if (!is_seen(mount, dentry))
			continue;
		access->mount = address;
		error = ask_domain(room, domain);
	}
	bpf_iter_num_destroy(&steps);
	return error >= 0 && address ? deny_undecided(room, domain, REASON_CROWDED) : error;
}

/* Ask a domain for room->access on all mounts on which its dentry is seen. A global function. */
__noinline int ask_where_shown(struct room *room, __u32 domain)
{
	struct epoch epoch;
	int error;

	if (!room)
		return -EACCES;
	/* Nobody holds the list of mounts still: on one that was overlooked it may be denied. */
	for (__u32 tried = 0; tried < WALK_TRIES; tried++) {
		begin_moment(&epoch);
		error = ask_shown(room, domain, 0);
		if (error == NOT_SEEN)
			error = ask_shown(room, domain, 1);
		if (error < 0)
			return error;
		if (!is_unmounted(&epoch))
			continue;
		/* No policy speaks of the kernel's own mounts, as POSIX message queues are on. */
		if (error == NOT_SEEN &&
		    !(CAST(struct dentry, room->access.dentry)->d_sb->s_flags & SB_KERNMOUNT))
			return deny_undecided(room, domain, REASON_DISCONNECTED);
		return 0;
	}
	return deny_undecided(room, domain, REASON_RACE);
}

static __always_inline int ask_all_shown(const struct subject *subject, struct room *room)
{
	int error = 0;

	for_each_domain(domain, subject)
	{
		if (!error)
			error = ask_where_shown(room, domain);
	}
	return error;
}

static __always_inline int ask_dentry(struct dentry *dentry, __u64 asked, __u32 hook, int refusal)
{
	struct subject subject;
	struct room *room;

	if (!find_subject(&subject) || !is_ruled(dentry->d_sb, dentry->d_inode) ||
	    is_overlay_itself())
		return 0;
	overlay_seen(dentry->d_sb);
	room = find_room();
	if (!room)
		return deny_storage(hook, 0, (__u64)dentry, refusal);
	room->access = (struct access){ .dentry = (__u64)dentry,
					.target = (__u64)dentry,
					.asked = asked,
					.hook = hook,
					.error = refusal };
	return ask_all_shown(&subject, room);
}

/* Ask for an inode under all its names. */
static __always_inline int ask_inode(struct inode *inode, __u64 asked, __u32 hook)
{
	__u64 alias = first_alias(address_of(inode));
	struct bpf_iter_num steps;
	struct subject subject;
	struct access *access;
	struct room *room;
	int error = 0;

	if (!find_subject(&subject) || !is_ruled(inode->i_sb, inode) || is_overlay_itself())
		return 0;
	overlay_seen(inode->i_sb);
	room = find_room();
	if (!room)
		return deny_storage(hook, 0, 0, -EACCES);
	access = &room->access;
	*access = (struct access){ .asked = asked, .hook = hook, .error = -EACCES };
	bpf_iter_num_new(&steps, 0, LIMIT_ALIASES);
	while (!error && alias && bpf_iter_num_next(&steps)) {
		access->dentry = access->target = (__u64)dentry_of(alias);
		error = ask_all_shown(&subject, room);
		alias = (__u64)CAST(struct hlist_node, alias)->next;
	}
	bpf_iter_num_destroy(&steps);
	if (error || !alias)
		return error;
	for_each_domain(domain, &subject)
	{
		if (!error)
			error = deny_undecided(room, domain, REASON_CROWDED);
	}
	return error;
}

/* What everybody's path lookup comes by: only chdir(2) and access(2) are told from it. */
static __always_inline int on_inode_permission(struct inode *inode, int mask)
{
	__u64 asked = 0;

	if (!(mask & (MAY_CHDIR | MAY_ACCESS)))
		return 0;
	if (mask & MAY_CHDIR)
		asked |= MASK(ACTION_CHDIR);
	if (mask & MAY_ACCESS)
		asked |= MASK(ACTION_ACCESS);
	return ask_inode(inode, asked, HOOK_INODE_PERMISSION);
}

static __always_inline int on_inode_readlink(struct dentry *dentry)
{
	return ask_dentry(dentry, MASK(ACTION_READLINK), HOOK_INODE_READLINK, -EACCES);
}

static __always_inline int on_inode_getxattr(struct dentry *dentry, const char *name)
{
	return ask_dentry(dentry, MASK(ACTION_GETXATTR), HOOK_INODE_GETXATTR, -EACCES);
}

static __always_inline int on_inode_get_acl(struct mnt_idmap *idmap, struct dentry *dentry,
					    const char *acl_name)
{
	return ask_dentry(dentry, MASK(ACTION_GETXATTR), HOOK_INODE_GET_ACL, -EACCES);
}

static __always_inline int on_inode_listxattr(struct dentry *dentry)
{
	return ask_dentry(dentry, MASK(ACTION_LISTXATTR), HOOK_INODE_LISTXATTR, -EACCES);
}

static __always_inline int on_inode_file_getattr(struct dentry *dentry, struct file_kattr *fa)
{
	return ask_dentry(dentry, MASK(ACTION_FILE_GETATTR), HOOK_INODE_FILE_GETATTR, -EACCES);
}

/* Refuse what no path is told of: by a record that nobody can open to write, commands end. */
static __always_inline int refuse_record(struct dentry *dentry, __u32 hook)
{
	return is_record(dentry) ? refuse_escape(hook, 0, (__u64)dentry) : 0;
}

static __always_inline int on_inode_file_setattr(struct dentry *dentry, struct file_kattr *fa)
{
	int error = refuse_record(dentry, HOOK_INODE_FILE_SETATTR);

	return error ? error
		     : ask_dentry(dentry, MASK(ACTION_FILE_SETATTR), HOOK_INODE_FILE_SETATTR,
				  -EACCES);
}

/* Times alone: what else changes with a size, mode or owner is asked by hooks with a path. */
static __always_inline int on_inode_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
					    struct iattr *attr)
{
	__u32 valid = attr->ia_valid;

	if (!(valid & (ATTR_ATIME | ATTR_MTIME)) ||
	    valid & (ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_SIZE))
		return 0;
	return ask_dentry(dentry, MASK(ACTION_UTIME), HOOK_INODE_SETATTR, -EACCES);
}

/* Whether it is by an attribute of this name that overlayfs knows what is beneath an object. */
static __always_inline _Bool is_for_overlay(const __u64 *name)
{
	if (name[0] == WORD("trusted.", 0))
		return name[1] == WORD("overlay.", 0);
	return name[0] == WORD("user.ove", 0) && name[1] << 24 == WORD("rlay.", 0) << 24;
}

/* Whether it merely says that nothing is: then nothing that is denied is shown. */
static __always_inline _Bool is_opaque(const __u64 *name)
{
	if (name[0] == WORD("trusted.", 0))
		return name[2] == WORD("opaque", 0);
	return name[1] == WORD("rlay.opa", 0) && name[2] == WORD("que", 0);
}

/* Whether a ring of io_uring may be why the current task has other credentials than its own. */
static __always_inline _Bool may_serve_ring(void)
{
	struct task_struct___ring *current =
		CAST(struct task_struct___ring, bpf_get_current_task_btf());

	return bpf_core_field_exists(struct task_struct___ring, io_uring) &&
	       (current->io_uring || current->flags & PF_IO_WORKER);
}

/*
 * Refuse attributes that have an overlayfs show what is denied under another name, or under its
 * own as another object. It sets them itself, with credentials of its own: an overlayfs that
 * nothing has been asked of yet is known by that alone, where no ring can have lent them. Those
 * with which it makes a folder that hides others are made for that, and are never known.
 */
static __always_inline int refuse_for_overlay(struct dentry *dentry, const char *name, __u32 hook)
{
	struct task_struct *current = bpf_get_current_task_btf();
	__u64 words[3] = {};

	if (bpf_probe_read_kernel_str(words, sizeof(words), name) >= 0 && !is_for_overlay(words))
		return 0;
	if (is_overlay_itself() || ((__u64)current->cred != (__u64)current->real_cred &&
				    (is_opaque(words) || !may_serve_ring())))
		return 0;
	return refuse_escape(hook, 0, (__u64)dentry);
}

/* Ask for an attribute. Who is in no domain is told first: for others alone its name is read. */
static __always_inline int ask_attribute(struct dentry *dentry, const char *name, __u64 asked,
					 __u32 hook)
{
	struct subject subject;
	int error;

	if (!find_subject(&subject))
		return 0;
	error = refuse_for_overlay(dentry, name, hook);
	return error ? error : ask_dentry(dentry, asked, hook, -EACCES);
}

static __always_inline int on_inode_setxattr(struct mnt_idmap *idmap, struct dentry *dentry,
					     const char *name, const void *value,
					     unsigned long size, int flags)
{
	return ask_attribute(dentry, name, MASK(ACTION_SETXATTR), HOOK_INODE_SETXATTR);
}

static __always_inline int on_inode_removexattr(struct mnt_idmap *idmap, struct dentry *dentry,
						const char *name)
{
	return ask_attribute(dentry, name, MASK(ACTION_REMOVEXATTR), HOOK_INODE_REMOVEXATTR);
}

static __always_inline int on_inode_set_acl(struct mnt_idmap *idmap, struct dentry *dentry,
					    const char *acl_name, struct posix_acl *kacl)
{
	int error = refuse_record(dentry, HOOK_INODE_SET_ACL);

	return error ? error
		     : ask_dentry(dentry, MASK(ACTION_SET_ACL), HOOK_INODE_SET_ACL, -EACCES);
}

static __always_inline int on_inode_remove_acl(struct mnt_idmap *idmap, struct dentry *dentry,
					       const char *acl_name)
{
	int error = refuse_record(dentry, HOOK_INODE_REMOVE_ACL);

	return error ? error
		     : ask_dentry(dentry, MASK(ACTION_SET_ACL), HOOK_INODE_REMOVE_ACL, -EACCES);
}

#endif
