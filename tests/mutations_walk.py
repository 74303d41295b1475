# SPDX-License-Identifier: GPL-2.0-only
"""Mutations of the walk, and of what names the objects on it: by the file that the mechanism is in."""

from __future__ import annotations

import mutation

# What stands after step_up() in walk.h.
_END_OF_STEP = "\n}\n\nstatic __always_inline void begin_walk_up"
ROWS = (
    mutation.of_engine(
        "generation",
        "object.h",
        "object->generation = inode->i_generation;",
        "object->generation = 0;",
        "test_filesystems.py::test_inode_number_used_again",
    ),
    mutation.of_engine(
        "subvolume",
        "object.h",
        "object->subvol = sb->s_magic == BTRFS_SUPER_MAGIC ? btrfs_subvolume(address_of(inode)) : 0;",
        "object->subvol = 0;",
        "test_filesystems.py::test_subvolumes_and_snapshots",
    ),
    mutation.of_engine(
        "own-credentials",
        "object.h",
        "return creator != (__u64)current->real_cred && bpf_map_lookup_elem(&creators, &creator);",
        "return creator != (__u64)current->real_cred;",
        "test_escape_overlay.py::test_personality_is_no_overlay",
    ),
    mutation.of_engine(
        "objects",
        "object.h",
        "object->subvol = sb->s_magic == BTRFS_SUPER_MAGIC ? btrfs_subvolume(address_of(inode)) : 0;",
        "object->subvol = address_of(inode);",
        "test_bypass.py::test_caches_dropped",
    ),
    # Were an object what it is by its names, of which the last one counts, or by the mount where it was found.
    mutation.of_engine(
        "any-name",
        "object.h",
        "object->subvol = sb->s_magic == BTRFS_SUPER_MAGIC ? btrfs_subvolume(address_of(inode)) : 0;",
        "object->subvol = (__u64)CAST(struct inode___names, inode)->i_dentry.first;",
        "test_routes.py::test_denied_file_by_hard_link",
    ),
    mutation.of_places(
        "any-mount",
        (
            mutation.Change(
                "bpf/walk.h",
                "\t\tname_inode(&walk->key.object, inode, sb);\n",
                "\t\tname_inode(&walk->key.object, inode, sb);\n\t\twalk->key.object.subvol = walk->mount;\n",
            ),
            mutation.Change(
                "bpf/object.h",
                "\tname_object(&named.object, inode, sb);\n",
                "\tname_object(&named.object, inode, sb);\n\tnamed.object.subvol = (__u64)real_mount(file->f_path.mnt);\n",
            ),
        ),
        "test_bypass.py::test_second_mount",
    ),
    mutation.of_engine(
        "own-way",
        "walk.h",
        "if (sb && root == sb->s_root)",
        "if (1)",
        "test_routes.py::test_every_route",
        "test_bypass.py::test_mounts_made_later",
    ),
    mutation.of_engine(
        "hidden",
        "walk.h",
        "\twalk->dentry = (__u64)mount->mnt_mountpoint;\n\twalk->mount = (__u64)parent;\n\twalk->hidden = 1;\n",
        "\twalk->dentry = (__u64)mount->mnt_mountpoint->d_parent;\n\twalk->mount = (__u64)parent;\n\twalk->hidden = 0;\n",
        "test_walk.py::test_hidden_mountpoint",
    ),
    mutation.of_engine(
        "hidden-permissions",
        "walk.h",
        "walk->hidden = 1;",
        "walk->hidden = 0;",
        "test_walk.py::test_hidden_mountpoint",
    ),
    mutation.of_engine(
        "detached",
        "walk.h",
        "walk->end = is_namespace_root(mount) ? END_ROOT : END_DETACHED;",
        "walk->end = END_ROOT;",
        "test_walk.py::test_detached_mount",
        "test_unattached.py::test_what_is_mounted_nowhere",
    ),
    mutation.of_engine(
        "disconnected",
        "walk.h",
        "\tif (parent == dentry) {\n\t\twalk->end = END_DISCONNECTED;\n\t\treturn 1;\n\t}\n\twalk->dentry",
        "\tif (parent == dentry) {\n\t\twalk->end = END_ROOT;\n\t\treturn 1;\n\t}\n\twalk->dentry",
        "test_filesystems.py::test_disconnected",
    ),
    mutation.of_engine(
        "depth",
        "walk.h",
        f"return walk->depth++ > LIMIT_DEPTH;{_END_OF_STEP}",
        f"walk->end = walk->depth > LIMIT_DEPTH ? END_ROOT : walk->end;\n\treturn walk->depth++ > LIMIT_DEPTH;{_END_OF_STEP}",
        "test_walk.py::test_too_deep",
    ),
    mutation.of_engine(
        "overlay",
        "walk.h",
        "walk->key.object.subvol &= ~SEEN_THROUGH_OVERLAY;",
        "walk->key.object.subvol = ~0ULL;",
        "test_filesystems.py::test_overlay",
        "test_overlay_layers.py::test_what_is_copied_up",
    ),
    mutation.of_places(
        "way-up",
        (
            mutation.Change("bpf/walk.h", "\tif (walk->plain)\n", "\tif (0)\n"),
            mutation.Change(
                "bpf/walk.h",
                f"\twalk->hidden = 0;\n\treturn walk->depth++ > LIMIT_DEPTH;{_END_OF_STEP}",
                f"\twalk->end = END_SETTLED;\n\treturn 1;{_END_OF_STEP}",
            ),
        ),
        "test_routes.py::test_every_route",
        "test_routes.py::test_tmpfile_linked_into_a_denied_folder",
        "test_bypass.py::test_tricks",
        "test_fuse.py::test_served_by_a_member",
        "test_held.py::test_mapping",
        "test_rare_calls.py::test_without_rights",
        "test_rare_calls.py::test_path_that_changes_meanwhile",
        "test_rare_calls.py::test_descriptors_that_fanotify_gives",
        "test_rare_calls.py::test_files_that_the_kernel_writes",
    ),
    mutation.of_engine(
        "race",
        "walk.h",
        "still = is_still(walk);",
        "still = 1;",
        "test_races.py::test_always_in_one_denied_tree_or_another",
    ),
    mutation.of_engine(
        "moves",
        "epoch.h",
        "if (!inode || has_names(inode))",
        "if (!inode)",
        "test_races.py::test_moved_into_a_denied_tree",
    ),
    mutation.of_engine(
        "exchanged",
        "epoch.h",
        "if (replaced && has_names(replaced))",
        "if (0)",
        "test_races.py::test_exchanged_with_a_file_in_a_denied_tree",
    ),
    mutation.of_engine(
        "remembered",
        "remember.h",
        "if (walked->rename_seq != epoch->rename_seq &&",
        "if (0 &&",
        "test_races.py::test_moved_into_a_denied_tree",
    ),
)
