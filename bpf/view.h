/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What fsviews say of an object: the mark of the nearest marked object on the way up.
 *
 * A file or a path is on one mount. A dentry or an inode may be seen through several,
 * an inode under several names: all ways must agree, else there is no mark.
 *
 * One loop goes through names, mounts and directories: nested ones would need more
 * frames than BPF has.
 */
#ifndef LANDLOCK_BPF_VIEW_H
#define LANDLOCK_BPF_VIEW_H

#include "seen.h"
#include "walk.h"

#define VIEWING_STEPS (1 << 16)

/* Take what the views say of an object, where nothing nearer was marked. */
static __always_inline void look_at(struct viewing *viewing, struct inode *inode)
{
	struct super_block *sb = inode->i_sb;
	struct view_marks *found;
	__u64 ino;

	if (sb->s_magic != OVERLAYFS_SUPER_MAGIC) {
		ino = inode->i_ino;
		/* Else one load serves both branches, which the verifier refuses. */
		barrier_var(ino);
		if (!may_have_rule(ino, viewing->key.views))
			return;
		name_inode(&viewing->key.object, inode, sb);
	} else if (!name_overlay(&viewing->key.object, address_of(inode))) {
		return;
	}
	found = bpf_map_lookup_elem(&views, &viewing->key);
	if (!found)
		return;
	if (viewing->dentry == viewing->start)
		viewing->found.ways = found->ways;
	for (__u32 view = 0; view < LIMIT_VIEWS; view++) {
		if (viewing->found.marks[view])
			continue;
		viewing->found.marks[view] = found->marks[view];
		if (found->marks[view])
			viewing->found.all |= 1U << view;
	}
	viewing->decided = viewing->found.all == found->all;
}

static __always_inline void begin_walk(struct viewing *viewing, __u64 mount, __u32 visible)
{
	__builtin_memset(&viewing->found, 0, sizeof(viewing->found));
	viewing->mount = mount;
	viewing->dentry = viewing->start;
	viewing->decided = 0;
	viewing->visible = visible;
	viewing->hidden = 0;
	viewing->depth = 0;
	viewing->step = VIEWING_STEP_UP;
}

/* A walk has come to its end: where it found another mark than those before it, there is none. */
static __always_inline void end_walk(struct viewing *viewing)
{
	for (__u32 view = 0; view < LIMIT_VIEWS; view++) {
		if (!viewing->walks)
			viewing->seen.marks[view] = viewing->found.marks[view];
		else if (viewing->seen.marks[view] != viewing->found.marks[view])
			viewing->seen.marks[view] = 0;
	}
	viewing->seen.ways = viewing->found.ways;
	viewing->walks++;
	viewing->step = viewing->single ? VIEWING_STEP_END : VIEWING_STEP_MOUNT;
}

/* Begin the walk from the object through the next mount, or under the next name. */
static __always_inline void view_mount(struct viewing *viewing)
{
	struct dentry *dentry = CAST(struct dentry, viewing->start);

	viewing->shown = next_mount(dentry->d_sb, viewing->shown);
	if (viewing->shown) {
		if (viewing->mounts++ >= LIMIT_SHOWN)
			viewing->step = VIEWING_STEP_LOST;
		else if (!is_private_mount(CAST(struct mount, viewing->shown)))
			begin_walk(viewing, viewing->shown, 0);
		return;
	}
	if (viewing->alias)
		viewing->alias = (__u64)CAST(struct hlist_node, viewing->alias)->next;
	if (viewing->alias) {
		if (viewing->aliases++ >= LIMIT_ALIASES) {
			viewing->step = VIEWING_STEP_LOST;
			return;
		}
		viewing->start = (__u64)dentry_of(viewing->alias);
		viewing->mounts = 0;
		return;
	}
	if (viewing->walks) {
		viewing->step = VIEWING_STEP_END;
		return;
	}
	/* Nobody sees it but the kernel, or it is a pipe: only the filesystem's own way is left. */
	viewing->single = 1;
	begin_walk(viewing, 0, 1);
}

static __always_inline void view_up(struct viewing *viewing)
{
	struct dentry *dentry = CAST(struct dentry, viewing->dentry);
	struct mount *mount = CAST(struct mount, viewing->mount);
	struct inode *inode = dentry->d_inode;
	struct dentry *parent;

	if (inode && !viewing->hidden && !viewing->decided)
		look_at(viewing, inode);
	if (viewing->mount && dentry == mount->mnt.mnt_root) {
		viewing->visible = 1;
		if (viewing->decided || mount->mnt_parent == mount) {
			end_walk(viewing);
			return;
		}
		viewing->dentry = (__u64)mount->mnt_mountpoint;
		viewing->mount = (__u64)mount->mnt_parent;
		viewing->hidden = 1;
		return;
	}
	parent = dentry->d_parent;
	if (parent == dentry || (viewing->decided && viewing->visible)) {
		if (viewing->visible)
			end_walk(viewing);
		else
			viewing->step = VIEWING_STEP_MOUNT; /* not seen through this one */
		return;
	}
	viewing->dentry = (__u64)parent;
	viewing->hidden = 0;
	if (viewing->depth++ > LIMIT_DEPTH)
		viewing->step = VIEWING_STEP_LOST;
}

static long view_step(__u32 index, struct viewing **context)
{
	struct viewing *viewing = *context;

	switch (viewing->step) {
	case VIEWING_STEP_MOUNT:
		view_mount(viewing);
		return 0;
	case VIEWING_STEP_UP:
		view_up(viewing);
		return 0;
	default:
		return 1;
	}
}

static __always_inline _Bool is_in_tree(const struct question *question)
{
	struct inode *inode = CAST(struct inode, question->inode);

	if (!question->inode) /* a name without an object */
		return is_ruled(CAST(struct dentry, question->dentry)->d_sb, NULL);
	return is_ruled(inode->i_sb, inode);
}

struct looking {
	struct viewing *viewing;
	struct question *question;
	__u32 still;
};

static long try_to_view(__u32 index, struct looking *looking)
{
	struct viewing *viewing = looking->viewing;
	struct question *question = looking->question;

	__builtin_memset(&viewing->seen, 0, sizeof(viewing->seen));
	viewing->walks = viewing->aliases = viewing->mounts = 0;
	viewing->alias = viewing->shown = 0;
	viewing->start = question->dentry;
	if (!question->dentry) {
		viewing->alias = first_alias(question->inode);
		if (!viewing->alias) {
			question->error = -ESTALE;
			looking->still = 1;
			return 1;
		}
		viewing->start = (__u64)dentry_of(viewing->alias);
	}
	begin_moment(&viewing->epoch);
	viewing->step = VIEWING_STEP_MOUNT;
	viewing->single = 0;
	if (question->mount && !is_private_mount(CAST(struct mount, question->mount))) {
		viewing->single = 1;
		begin_walk(viewing, question->mount, 1);
	}
	bpf_loop(VIEWING_STEPS, view_step, &viewing, 0);
	looking->still = is_untouched(&viewing->epoch) && is_unmounted(&viewing->epoch);
	return looking->still;
}

/*
 * Look the marks of a question's object up in a set of views. question->error is -ENOENT
 * for what is neither marked nor in any tree, -ESTALE for an inode without a name, -EAGAIN
 * where renames or mounts went on all the while, -ELOOP where there are more names, mounts
 * or directories than are looked at.
 */
__noinline int view(struct room *room, struct question *question, __u64 set)
{
	struct looking looking = {};

	if (!room || !question)
		return 0;
	looking.viewing = &room->viewing;
	looking.question = question;
	room->viewing.key.views = set;
	question->error = 0;
	bpf_loop(WALK_TRIES, try_to_view, &looking, 0);
	if (!question->error && !looking.still)
		question->error = -EAGAIN;
	else if (!question->error && room->viewing.step != VIEWING_STEP_END)
		question->error = -ELOOP;
	else if (!question->error && !room->viewing.found.all && !is_in_tree(question))
		question->error = -ENOENT;
	if (question->error)
		__builtin_memset(&question->seen, 0, sizeof(question->seen));
	else
		question->seen = room->viewing.seen;
	return 0;
}

#endif
