# SPDX-License-Identifier: GPL-2.0-only
"""Mutations of what denies an access to an object, whatever way leads to it: by the file that the mechanism is in."""

from __future__ import annotations

import mutation

# What stands after step_up() in walk.h.
_END_OF_STEP = "\n}\n\nstatic __always_inline void begin_walk_up"
ROWS = (
    mutation.of_decision(
        "nearest",
        "decision->pending[layer] &= ~(rule->denied[layer] | rule->allowed[layer]);",
        "decision->pending[layer] &= ~rule->denied[layer];",
    ),
    mutation.of_decision(
        "denial-first",
        "__u64 denied = decision->pending[layer] & rule->denied[layer];\n\n\t\tif (denied)\n"
        "\t\t\tdecide_refuse(decision, layer, denied, REASON_RULE, object);\n"
        "\t\tdecision->pending[layer] &= ~(",
        "__u64 denied = decision->pending[layer] & rule->denied[layer] & ~rule->allowed[layer];\n\n\t\tif (denied)\n"
        "\t\t\tdecide_refuse(decision, layer, denied, REASON_RULE, object);\n"
        "\t\tdecision->pending[layer] &= ~(",
    ),
    mutation.of_decision(
        "own-way-denies", "__u64 denied = decision->shaded[layer] & rule->denied[layer];", "__u64 denied = 0;"
    ),
    mutation.of_decision(
        "own-way-shades",
        "decision->shaded[layer] &= ~(rule->denied[layer] | rule->allowed[layer]);",
        "decision->shaded[layer] &= ~rule->denied[layer];",
    ),
    mutation.of_decision(
        "default",
        "__u64 pending = decision->pending[layer] & ~ruleset->default_allow[layer];",
        "__u64 pending = 0 & ruleset->default_allow[layer];",
    ),
    mutation.of_decision(
        "lost",
        "decide_refuse(decision, layer, decision->pending[layer], reason, 0);",
        "(void)reason;",
    ),
    mutation.of_decision(
        "gain",
        "if (source->refused[layer] & ~destination->refused[layer] & scope) {",
        "if (source->refused[layer] & scope & 0) {",
        "test_gain",
    ),
    mutation.of_engine(
        "names", "decide.h", "#define HASH_SEED 0xcbf29ce484222325ULL", "#define HASH_SEED 1ULL", "test_bypass.py::test_names"
    ),
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
        "overlay-attributes",
        "metadata.h",
        "return refuse_escape(hook, 0, (__u64)dentry);",
        "return 0;",
        "test_escape_overlay.py::test_another_name",
        "test_escape_overlay.py::test_another_object",
        "test_escape_overlay.py::test_attributes_of_overlays",
    ),
    mutation.of_engine(
        "lent-credentials",
        "metadata.h",
        "(current->io_uring || current->flags & PF_IO_WORKER);",
        "0;",
        "test_escape_overlay.py::test_personality_sets_no_attribute_of_overlays",
    ),
    mutation.of_engine(
        "objects",
        "object.h",
        "object->ino = inode->i_ino;",
        "object->ino = address_of(inode);",
        "test_bypass.py::test_caches_dropped",
    ),
    mutation.of_engine("own-way", "walk.h", "if (sb && root == sb->s_root)", "if (1)", "test_routes.py::test_every_route"),
    mutation.of_engine(
        "hidden",
        "walk.h",
        "walk->hidden = 1;",
        "walk->hidden = 0;",
        "test_routes.py::test_hidden_mountpoint",
    ),
    mutation.of_engine(
        "detached",
        "walk.h",
        "walk->end = is_namespace_root(mount) ? END_ROOT : END_DETACHED;",
        "walk->end = END_ROOT;",
        "test_routes.py::test_detached_mount",
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
        "test_bypass.py::test_too_deep",
    ),
    mutation.of_engine(
        "overlay",
        "walk.h",
        "walk->key.object.subvol &= ~SEEN_THROUGH_OVERLAY;",
        "walk->key.object.subvol = ~0ULL;",
        "test_filesystems.py::test_overlay",
    ),
    mutation.of_engine(
        "way-up",
        "walk.h",
        f"\twalk->hidden = 0;\n\treturn walk->depth++ > LIMIT_DEPTH;{_END_OF_STEP}",
        f"\twalk->end = END_ROOT;\n\treturn 1;{_END_OF_STEP}",
        "test_routes.py::test_every_route",
    ),
    mutation.of_engine(
        "race",
        "walk.h",
        "still = is_still(walk);",
        "still = 1;",
        "test_races.py::test_always_in_one_denied_tree_or_another",
    ),
    mutation.of_engine(
        "patterns",
        "names.h",
        "if (head + tail > length)",
        "if (1)",
        "test_bypass.py::test_patterns",
    ),
    mutation.of_engine(
        "names-above",
        "names.h",
        "if (mount && is_part(CAST(struct mount, mount)))",
        "if (0)",
        "test_names.py::test_through_a_mount_of_what_was_missing",
    ),
    mutation.of_engine(
        "filesystem-gone",
        "mount.h",
        "bpf_for_each_map_elem(&fsview, end_rule, &dev, 0);",
        "",
        "test_filesystems.py::test_filesystem_gone",
    ),
    mutation.of_engine(
        "mount",
        "mount.h",
        "return error ? error : ask_mount(path, HOOK_SB_MOUNT);",
        "return error;",
        "test_mounts.py::test_in_a_domain",
    ),
    mutation.of_engine(
        "seal-beside-reports",
        "access.h",
        "if (named & enforcing)",
        "if (named)",
        "test_sealing.py::test_beside_a_layer_that_merely_reports",
    ),
    mutation.of_engine("seal", "access.h", "sealed |= rule->sealed;", "sealed |= 0;", "test_sealing.py::test_seal"),
    mutation.of_engine(
        "refer", "refer.h", "if (error || !across)", "if (1)", "test_routes.py::test_moved_out_of_a_denied_folder"
    ),
    mutation.of_engine(
        "pattern-trees",
        "refer.h",
        "if (!sight->patterns || !inode || !S_ISDIR(inode->i_mode))",
        "if (1)",
        "test_bypass.py::test_a_directory_stays_in_the_tree_of_a_pattern",
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
    mutation.of_engine(
        "metadata",
        "metadata.h",
        "error = ask_domain(room, domain);",
        "error = 0;",
        "test_bypass.py::test_metadata_by_descriptor",
    ),
    mutation.of_engine(
        "opened",
        "file.h",
        "return keep_refused(room, file);",
        "return 0;",
        "test_actions.py::test_what_was_refused_at_open_stays_refused",
    ),
    mutation.of_engine(
        "open-block",
        "file.h",
        "asked |= MASK(ACTION_OPEN_BLOCK);",
        "asked |= 0;",
        "test_bypass.py::test_block_devices",
    ),
    mutation.of_engine(
        "open-read",
        "file.h",
        "asked = MASK(ACTION_READ_FILE);",
        "asked = 0;",
        "test_actions.py::test_denied_by_rule[read_file]",
    ),
    mutation.of_engine(
        "open-write",
        "file.h",
        "asked |= MASK(ACTION_WRITE_FILE);",
        "asked |= 0;",
        "test_bypass.py::test_writing_needs_the_right_to_open",
    ),
    mutation.of_engine(
        "backing",
        "file.h",
        "if (is_ruled(dentry->d_sb, dentry->d_inode) && is_private_mount(real_mount(mnt))) {",
        "if (0) {",
        "test_filesystems.py::test_overlay_behind_a_mapping",
    ),
    mutation.of_engine(
        "disks",
        "file.h",
        "(S_ISCHR(mode) && reaches_disks(inode->i_rdev))",
        "0",
        "test_bypass.py::test_character_devices_that_reach_disks",
    ),
    mutation.of_engine(
        "swap",
        "file.h",
        "(S_ISREG(mode) && is_for_swap(file, inode))",
        "0",
        "test_disks.py::test_swap",
    ),
    mutation.of_engine(
        "filesystem-commands",
        "file.h",
        "\t\treturn MASK(ACTION_OPEN_BLOCK);",
        "\t\treturn 0;",
        "test_filesystems.py::test_ioctls_of_btrfs",
        "test_disks.py::test_commands_to_drivers",
        "test_disks.py::test_disks_of_btrfs",
        "test_filesystem_commands.py::test_version_of_an_inode",
        "test_filesystem_commands.py::test_subvolumes",
    ),
    mutation.of_engine(
        "autofs-commands",
        "file.h",
        "return is_of_autofs(command) ? MASK(ACTION_OPEN_BLOCK) : 0;",
        "return 0;",
        "test_filesystem_commands.py::test_refused_whatever_the_file",
    ),
    mutation.of_engine(
        "attribute-commands",
        "file.h",
        "\t\treturn MASK(ACTION_FILE_SETATTR);",
        "\t\treturn 0;",
        "test_filesystem_commands.py::test_attributes",
    ),
    mutation.of_engine(
        "disk-files",
        "vital.h",
        "lineage->disk = 1;",
        "lineage->disk = 0;",
        "test_disks.py::test_files_that_control_disks",
    ),
    mutation.of_control(
        "hard-links",
        "hardlinks.py",
        "if found.st_nlink > 1:",
        "if found.st_nlink < 1:",
        "unit/test_hardlinks.py::test_a_file_with_a_name_outside_is_found",
    ),
    mutation.of_control(
        "way-sealed",
        "resolution.py",
        "self._entries.add(rule, object, 0, 0, sealed=True)",
        "self._entries.add(rule, object, 0, 0, sealed=False)",
        "unit/test_resolution.py::test_a_denial_seals_its_object_and_the_way_to_it",
    ),
    mutation.of_control(
        "layers",
        "overlays.py",
        "for layer in dict.fromkeys(filter(None, (*lower, upper))):",
        "for layer in ():",
        "unit/test_overlays.py::test_layers_that_have_the_path_and_the_upper_one",
    ),
    mutation.of_control(
        "name-hashes",
        "names.py",
        "made ^= made >> 29",
        "made ^= made >> 28",
        "build/test_decide.py::test_hashes_of_names",
    ),
)
