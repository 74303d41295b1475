/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The approach: the places by which commands come to the engine, to its records and to the
 * cgroups; directories and, beneath what is mounted there, mount points. Who may mount can have
 * mounts of its own as it likes, but changes none of these for anybody outside of its domains.
 */
#ifndef LANDLOCK_BPF_APPROACH_H
#define LANDLOCK_BPF_APPROACH_H

#include "leaving.h"
#include "ptrace.h"

/* Print struct approached of each place from a descriptor up to the root of the namespace. */
static __always_inline int print_approach(struct bpf_iter__task_file *context)
{
	struct seq_file *seq = context->meta->seq;
	struct approached place = { .fd = context->fd };
	struct file *file = context->file;
	__u64 at, in, address, above;
	struct bpf_iter_num steps;
	struct dentry *dentry;
	struct mount *mount;

	if (!file)
		return 0;
	at = (__u64)file->f_path.dentry;
	in = (__u64)real_mount(file->f_path.mnt);
	bpf_iter_num_new(&steps, 0, LIMIT_DEPTH + LIMIT_CROSSED);
	while (bpf_iter_num_next(&steps)) {
		dentry = CAST(struct dentry, at);
		mount = CAST(struct mount, in);
		address = address_of(dentry->d_inode);
		if (!address)
			break;
		name_object(&place.object, CAST(struct inode, address), dentry->d_sb);
		bpf_seq_write(seq, &place, sizeof(place));
		if (dentry == mount->mnt.mnt_root) {
			above = (__u64)mount->mnt_parent;
			if (above == in)
				break;
			at = (__u64)mount->mnt_mountpoint;
			in = above;
		} else {
			above = (__u64)dentry->d_parent;
			if (above == at)
				break;
			at = above;
		}
	}
	bpf_iter_num_destroy(&steps);
	return 0;
}

/* Whether a directory is one of these places. A global function: see walk_up(). */
__noinline int find_approach(__u64 address)
{
	struct dentry *dentry = CAST(struct dentry, address);
	struct inode *inode = dentry->d_inode;
	struct state *state = the_state();
	struct object object = {};

	if (!inode || !state)
		return 0;
	name_object(&object, inode, dentry->d_sb);
	for (__u32 number = 0; number < LIMIT_APPROACH; number++) {
		const struct object *place = &state->approach[number];

		if (!place->ino)
			break;
		if (place->ino == object.ino && place->dev == object.dev &&
		    place->subvol == object.subvol && place->generation == object.generation)
			return 1;
	}
	return 0;
}

static __always_inline _Bool is_approach(const struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;
	struct super_block *sb = dentry->d_sb;

	/* By all that proc shows commands learn who is in a domain, and what is mounted. */
	if (sb->s_magic == PROC_SUPER_MAGIC)
		return find_approach(address_of(sb->s_root));
	return inode && S_ISDIR(inode->i_mode) && find_approach(address_of(dentry));
}

/*
 * Whether a mount is where commands come by in its namespace, and no other mount of the same
 * directory: its mount points are such places, up to the root. A global function: see walk_up().
 */
__noinline int is_on_approach(__u64 address)
{
	struct bpf_iter_num steps;
	struct mount *mount;
	__u64 above;
	int on = 1;

	bpf_iter_num_new(&steps, 0, LIMIT_APPROACH);
	while (bpf_iter_num_next(&steps)) {
		mount = CAST(struct mount, address);
		above = address_of(mount->mnt_parent);
		if (above == address) {
			on = is_namespace_root(mount);
			break;
		}
		if (!find_approach(address_of(mount->mnt_mountpoint))) {
			on = 0;
			break;
		}
		address = above;
	}
	bpf_iter_num_destroy(&steps);
	return on;
}

/* Whether a subject is in all domains of another one. A global function: see walk_up(). */
__noinline int is_fellow(const struct subject *subject, const struct subject *other)
{
	if (!subject || !other)
		return 0;
	for_each_domain(domain, other)
	{
		if (!is_within(subject, domain))
			return 0;
	}
	return 1;
}

/*
 * Whether anybody but fellow members is in a mount namespace; for who is in no domain, nobody.
 * A global function: see walk_up().
 */
__noinline int has_outsiders(__u64 namespace)
{
	struct subject subject, theirs;
	struct bpf_iter_task threads;
	struct task_struct *thread;
	struct nsproxy *nsproxy;
	int found = 0;

	if (!find_subject(&subject))
		return 0;
	bpf_iter_task_new(&threads, NULL, BPF_TASK_ITER_ALL_THREADS);
	while (!found && (thread = bpf_iter_task_next(&threads))) {
		nsproxy = thread->nsproxy;
		if (!nsproxy || address_of(nsproxy->mnt_ns) != namespace)
			continue;
		find_trusted(&theirs, thread);
		found = !is_fellow(&theirs, &subject);
	}
	bpf_iter_task_destroy(&threads);
	return found;
}

/*
 * Refuse that something is mounted at a place of the approach, or goes away from there, where
 * that changes what an outsider sees: in his namespace, or by what is shared with it. A global
 * function: see walk_up().
 */
__noinline int refuse_approach(__u64 address, __u64 dentry, __u32 hook)
{
	struct mount *mount = CAST(struct mount, address);

	if (!is_approach(CAST(struct dentry, dentry)))
		return 0;
	if (!mount->mnt_group_id &&
	    (!is_on_approach(address) || !has_outsiders(address_of(mount->mnt_ns))))
		return 0;
	return refuse_escape(hook, address, dentry);
}

/* Refuse to mount something there. */
static __always_inline int refuse_cover(const struct path *path, __u32 hook)
{
	return refuse_approach(address_of(real_mount(path->mnt)), address_of(path->dentry), hook);
}

/* Refuse to have a mount go away from there: by itself, as from above its mount point. */
static __always_inline int refuse_uncover(const struct mount *mount, __u32 hook)
{
	return refuse_approach(address_of(mount->mnt_parent), address_of(mount->mnt_mountpoint),
			       hook);
}

/*
 * Refuse that a directory of the approach is removed, moved or replaced, and with it in other
 * namespaces what is mounted on it.
 */
static __noinline int refuse_end(const struct path *dir, struct dentry *dentry,
				 struct dentry *second, __u32 hook)
{
	if (!is_approach(dentry) && (!second || !is_approach(second)))
		return 0;
	return refuse_escape(hook, (__u64)real_mount(dir->mnt), (__u64)dentry);
}

#endif
