# SPDX-License-Identifier: GPL-2.0-only
"""Mutations: each switches one mechanism off, and names the tests that must fail then.

A mechanism without such a test would not be missed: docs/BYPASS.md counts a trick as closed only by mechanisms that are here.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent
# What a mechanism may be in, and what is found beside it.
_COPIED = ("bpf", "landlock_bpf", "policies")


@dataclasses.dataclass(frozen=True)
class Change:
    """One place of a source, and what is to stand there instead."""

    file: str
    old: str
    new: str


@dataclasses.dataclass(frozen=True)
class Mutation:
    """A mechanism, by a name: what switches it off, and tests (pytest's ids) that fail then.

    given: what must be otherwise for it to be needed at all, as memory that cannot be had; with that alone they pass.
    """

    name: str
    off: Change
    tests: tuple[str, ...]
    given: tuple[Change, ...] = ()

    @property
    def hostly(self) -> bool:
        """Whether its tests need no kernel."""
        return not any(test.startswith("tests/kernel/") for test in self.tests)


def _decide(name: str, old: str, new: str, test: str = "test_all_small_walks") -> Mutation:
    return Mutation(name, Change("bpf/decide.h", old, new), (f"tests/build/test_decide.py::{test}",))


def _kernel(name: str, file: str, old: str, new: str, *tests: str, given: tuple[Change, ...] = ()) -> Mutation:
    return Mutation(name, Change(f"bpf/{file}", old, new), tuple(f"tests/kernel/{test}" for test in tests), given)


def _control(name: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    """A mechanism of the control side; the engine is the same."""
    return Mutation(name, Change(f"landlock_bpf/{file}", old, new), tuple(f"tests/{test}" for test in tests))


def _refused_storage(then: str) -> Change:
    """Refuse a task that is moved the storage that is made for it, as where another task is preempted in making its own."""
    refused = f"\tif (!own) {{\n\t\t{then}"
    made = "\town = bpf_task_storage_get(&tasks, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);\n"
    return Change("bpf/leaving.h", made + refused, "\town = NULL;\n" + refused)


# What stands after step_up() in walk.h.
_END_OF_STEP = "\n}\n\nstatic __always_inline void begin_walk_up"
MUTATIONS = (
    _decide(
        "nearest",
        "decision->pending[layer] &= ~(rule->denied[layer] | rule->allowed[layer]);",
        "decision->pending[layer] &= ~rule->denied[layer];",
    ),
    _decide(
        "denial-first",
        "__u64 denied = decision->pending[layer] & rule->denied[layer];\n\n\t\tif (denied)\n"
        "\t\t\tdecide_refuse(decision, layer, denied, REASON_RULE, object);\n"
        "\t\tdecision->pending[layer] &= ~(",
        "__u64 denied = decision->pending[layer] & rule->denied[layer] & ~rule->allowed[layer];\n\n\t\tif (denied)\n"
        "\t\t\tdecide_refuse(decision, layer, denied, REASON_RULE, object);\n"
        "\t\tdecision->pending[layer] &= ~(",
    ),
    _decide("own-way-denies", "__u64 denied = decision->shaded[layer] & rule->denied[layer];", "__u64 denied = 0;"),
    _decide(
        "own-way-shades",
        "decision->shaded[layer] &= ~(rule->denied[layer] | rule->allowed[layer]);",
        "decision->shaded[layer] &= ~rule->denied[layer];",
    ),
    _decide(
        "default",
        "__u64 pending = decision->pending[layer] & ~ruleset->default_allow[layer];",
        "__u64 pending = 0 & ruleset->default_allow[layer];",
    ),
    _decide(
        "lost",
        "decide_refuse(decision, layer, decision->pending[layer], reason, 0);",
        "(void)reason;",
    ),
    _decide(
        "gain",
        "if (source->refused[layer] & ~destination->refused[layer] & scope) {",
        "if (source->refused[layer] & scope & 0) {",
        "test_gain",
    ),
    _kernel("seal", "access.h", "sealed |= rule->sealed;", "sealed |= 0;", "test_sealing.py::test_seal"),
    _kernel("refer", "refer.h", "if (error || !across)", "if (1)", "test_routes.py::test_moved_out_of_a_denied_folder"),
    _kernel("own-way", "walk.h", "if (sb && root == sb->s_root)", "if (1)", "test_routes.py::test_every_route"),
    _kernel(
        "hidden",
        "walk.h",
        "walk->hidden = 1;",
        "walk->hidden = 0;",
        "test_routes.py::test_hidden_mountpoint",
    ),
    _kernel(
        "detached",
        "walk.h",
        "walk->end = is_namespace_root(mount) ? END_ROOT : END_DETACHED;",
        "walk->end = END_ROOT;",
        "test_routes.py::test_detached_mount",
    ),
    _kernel(
        "disconnected",
        "walk.h",
        "\tif (parent == dentry) {\n\t\twalk->end = END_DISCONNECTED;\n\t\treturn 1;\n\t}\n\twalk->dentry",
        "\tif (parent == dentry) {\n\t\twalk->end = END_ROOT;\n\t\treturn 1;\n\t}\n\twalk->dentry",
        "test_filesystems.py::test_disconnected",
    ),
    _kernel(
        "depth",
        "walk.h",
        f"return walk->depth++ > LIMIT_DEPTH;{_END_OF_STEP}",
        f"walk->end = walk->depth > LIMIT_DEPTH ? END_ROOT : walk->end;\n\treturn walk->depth++ > LIMIT_DEPTH;{_END_OF_STEP}",
        "test_bypass.py::test_too_deep",
    ),
    _kernel(
        "opened",
        "file.h",
        "return keep_refused(room, file);",
        "return 0;",
        "test_actions.py::test_what_was_refused_at_open_stays_refused",
    ),
    _kernel(
        "generation",
        "object.h",
        "object->generation = inode->i_generation;",
        "object->generation = 0;",
        "test_filesystems.py::test_inode_number_used_again",
    ),
    _kernel(
        "overlay",
        "walk.h",
        "walk->key.object.subvol &= ~SEEN_THROUGH_OVERLAY;",
        "walk->key.object.subvol = ~0ULL;",
        "test_filesystems.py::test_overlay",
    ),
    _kernel(
        "subvolume",
        "object.h",
        "object->subvol = sb->s_magic == BTRFS_SUPER_MAGIC ? btrfs_subvolume(address_of(inode)) : 0;",
        "object->subvol = 0;",
        "test_filesystems.py::test_subvolumes_and_snapshots",
    ),
    _kernel(
        "filesystem-gone",
        "mount.h",
        "bpf_for_each_map_elem(&fsview, end_rule, &dev, 0);",
        "",
        "test_filesystems.py::test_filesystem_gone",
    ),
    _kernel(
        "mount",
        "mount.h",
        "return ask_mount(path, HOOK_SB_MOUNT);",
        "return 0;",
        "test_mounts.py::test_in_a_domain",
    ),
    _kernel(
        "names", "decide.h", "#define HASH_SEED 0xcbf29ce484222325ULL", "#define HASH_SEED 1ULL", "test_bypass.py::test_names"
    ),
    _kernel(
        "patterns",
        "names.h",
        "if (head + tail > length)",
        "if (1)",
        "test_bypass.py::test_patterns",
    ),
    _kernel(
        "pattern-trees",
        "refer.h",
        "if (!sight->patterns || !inode || !S_ISDIR(inode->i_mode))",
        "if (1)",
        "test_bypass.py::test_a_directory_stays_in_the_tree_of_a_pattern",
    ),
    _kernel(
        "open-block",
        "file.h",
        "asked |= MASK(ACTION_OPEN_BLOCK);",
        "asked |= 0;",
        "test_bypass.py::test_block_devices",
    ),
    _kernel(
        "task-lists",
        "vital.h",
        "return ask_task_list(report, CAST(struct kernfs_node, inode->i_private));",
        "return 0;",
        "test_escape_cgroup.py::test_list_of_tasks",
    ),
    _kernel(
        "clone-into",
        "leaving.h",
        "if (clone_flags & CLONE_INTO_CGROUP) {",
        "if (0) {",
        "test_escape_cgroup.py::test_clone_into_cgroup",
    ),
    _kernel(
        "held",
        "leaving.h",
        "own->held = entry->cgroup;",
        "own->held = 0;",
        "test_escape_cgroup.py::test_inherited_descriptor",
    ),
    _kernel(
        "departures",
        "leaving.h",
        "if (!state || bpf_map_update_elem(&departures, &pid, &departed, BPF_ANY)) {",
        "if (!state) {",
        "test_escape_cgroup.py::test_inherited_descriptor",
        "test_escape_cgroup.py::test_children_and_threads_from_before",
        "test_escape_cgroup.py::test_leaves_one_domain_after_another",
        "test_escape_cgroup.py::test_moved_by_somebody_outside",
        "test_escape_cgroup.py::test_cgroup_removed",
        "test_escape_cgroup.py::test_a_stranger_drawn_in",
        given=(_refused_storage("keep_departed(task, entry->cgroup, 0);"), _refused_storage("keep_departed(task, 0, 1);")),
    ),
    _kernel(
        "ptrace",
        "ptrace.h",
        "return ask_ptrace(HOOK_PTRACE_ACCESS_CHECK, bpf_get_current_task_btf(), child,\n\t\t\t  mode & PTRACE_MODE_NOAUDIT);",
        "return 0;",
        "test_tracing.py::test_case",
    ),
    _kernel("bpf", "escape.h", "return refuse_escape(HOOK_BPF, 0, 0);", "return 0;", "test_escape.py::test_every_bpf_command"),
    _kernel(
        "lockdown", "escape.h", "return refuse_escape(HOOK_LOCKED_DOWN, 0, 0);", "return 0;", "test_escape.py::test_kernel"
    ),
    _kernel(
        "kernel-code",
        "escape.h",
        "return is_code(id) ? refuse_escape(HOOK_KERNEL_LOAD_DATA, 0, 0) : 0;",
        "return 0;",
        "test_escape.py::test_kernel",
    ),
    _kernel(
        "vital",
        "vital.h",
        "return vital ? refuse_all(report) : 0;",
        "return 0;",
        "test_escape.py::test_files_that_control_the_kernel",
    ),
    _kernel(
        "pins",
        "vital.h",
        "if (!has_vital_folders(sb->s_magic) &&",
        "if (",
        "test_escape.py::test_pins",
    ),
    _kernel(
        "control-folders",
        "vital.h",
        "\t\treturn may_be_vital(magic);",
        "\t\treturn magic == BPF_FS_MAGIC;",
        "test_escape.py::test_folders_that_control_the_kernel",
    ),
    _kernel(
        "records",
        "remember.h",
        "if (inode && inode->i_ino == state->records_ino)",
        "if (inode && !inode->i_ino)",
        "test_escape.py::test_records",
    ),
    _kernel(
        "process-domain",
        "domain.h",
        "subject->process = own ? own->domain : 0;",
        "subject->process = 0;",
        "test_confine.py::test_all_threads_and_children",
    ),
    _kernel(
        "own-credentials",
        "object.h",
        "return creator != (__u64)current->real_cred && bpf_map_lookup_elem(&creators, &creator);",
        "return creator != (__u64)current->real_cred;",
        "test_escape_overlay.py::test_personality_is_no_overlay",
    ),
    _kernel(
        "way-up",
        "walk.h",
        f"\twalk->hidden = 0;\n\treturn walk->depth++ > LIMIT_DEPTH;{_END_OF_STEP}",
        f"\twalk->end = END_ROOT;\n\treturn 1;{_END_OF_STEP}",
        "test_routes.py::test_every_route",
    ),
    _kernel(
        "objects",
        "object.h",
        "object->ino = inode->i_ino;",
        "object->ino = address_of(inode);",
        "test_bypass.py::test_caches_dropped",
    ),
    _kernel(
        "race",
        "walk.h",
        "still = is_still(walk);",
        "still = 1;",
        "test_races.py::test_always_in_one_denied_tree_or_another",
    ),
    _kernel(
        "remembered",
        "remember.h",
        "if (walked->rename_seq != epoch->rename_seq &&",
        "if (0 &&",
        "test_races.py::test_moved_into_a_denied_tree",
    ),
    _kernel(
        "moves",
        "epoch.h",
        "if (!inode || has_names(inode))",
        "if (!inode)",
        "test_races.py::test_moved_into_a_denied_tree",
    ),
    _kernel(
        "exchanged",
        "epoch.h",
        "if (replaced && has_names(replaced))",
        "if (0)",
        "test_races.py::test_exchanged_with_a_file_in_a_denied_tree",
    ),
    _kernel(
        "open-read",
        "file.h",
        "asked = MASK(ACTION_READ_FILE);",
        "asked = 0;",
        "test_actions.py::test_denied_by_rule[read_file]",
    ),
    _kernel(
        "open-write",
        "file.h",
        "asked |= MASK(ACTION_WRITE_FILE);",
        "asked |= 0;",
        "test_bypass.py::test_writing_needs_the_right_to_open",
    ),
    _kernel(
        "backing",
        "file.h",
        "if (is_ruled(dentry->d_sb, dentry->d_inode) && is_private_mount(real_mount(mnt))) {",
        "if (0) {",
        "test_filesystems.py::test_overlay_behind_a_mapping",
    ),
    _kernel(
        "disks",
        "file.h",
        "(S_ISCHR(mode) && reaches_disks(inode->i_rdev))",
        "0",
        "test_bypass.py::test_character_devices_that_reach_disks",
    ),
    _kernel(
        "swap",
        "file.h",
        "(S_ISREG(mode) && is_for_swap(file, inode))",
        "0",
        "test_disks.py::test_swap",
    ),
    _kernel(
        "disk-files",
        "vital.h",
        "lineage->disk = 1;",
        "lineage->disk = 0;",
        "test_disks.py::test_files_that_control_disks",
    ),
    _kernel(
        "metadata",
        "metadata.h",
        "error = ask_domain(room, domain);",
        "error = 0;",
        "test_bypass.py::test_metadata_by_descriptor",
    ),
    _kernel(
        "cgroup-domain",
        "domain.h",
        "subject->cgroup = cgroup_domain(current, state);",
        "subject->cgroup = 0;",
        "test_bypass.py::test_tricks",
    ),
    _kernel(
        "unified",
        "domain.h",
        "return (__u64)cgroup->root == (__u64)bpf_get_current_task_btf()->cgroups->dfl_cgrp->root;",
        "return 1;",
        "test_cgroups.py::test_those_of_version_1",
    ),
    _kernel(
        "sticky", "leaving.h", "(entry->sticky && departure->arrives != domain)", "0", "test_sticky.py::test_moved_by_others"
    ),
    _kernel("drawn", "leaving.h", "own->drawn = 1;", "own->drawn = 0;", "test_escape_cgroup.py::test_a_stranger_drawn_in"),
    _kernel(
        "kernel-files",
        "escape.h",
        "return is_code(id) ? refuse_file(file, HOOK_KERNEL_READ_FILE) : 0;",
        "return 0;",
        "test_escape.py::test_kernel",
    ),
    _kernel(
        "perf", "escape.h", "return refuse_escape(HOOK_PERF_EVENT_OPEN, 0, 0);", "return 0;", "test_escape.py::test_kernel"
    ),
    _kernel("terminal", "file.h", "error = refuse_file(file, hook);", "error = 0;", "test_escape.py::test_kernel"),
    _kernel(
        "jit",
        "vital.h",
        'name.first == WORD("bpf_jit_", 0);',
        "0;",
        "test_escape.py::test_files_that_control_the_kernel",
    ),
    _kernel(
        "vital-received",
        "file.h",
        "int error = refuse_vital_file(file, HOOK_FILE_RECEIVE);",
        "int error = 0;",
        "test_escape.py::test_descriptors_that_are_received",
    ),
    _kernel(
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
    _kernel(
        "attribute-commands",
        "file.h",
        "\t\treturn MASK(ACTION_FILE_SETATTR);",
        "\t\treturn 0;",
        "test_filesystem_commands.py::test_attributes",
    ),
    _kernel(
        "engine-mounts",
        "vital.h",
        "if (magic != BPF_FS_MAGIC && magic != CGROUP2_SUPER_MAGIC && !is_record(path->dentry))",
        "if (1)",
        "test_escape.py::test_mounts_by_which_the_engine_is_found",
    ),
    _kernel(
        "overlay-mounts",
        "vital.h",
        "sb->s_magic != OVERLAYFS_SUPER_MAGIC &&\n\t    sb->s_magic != ECRYPTFS_SUPER_MAGIC)",
        "1)",
        "test_escape.py::test_filesystems_that_may_not_be_mounted",
    ),
    _kernel(
        "old-cgroups",
        "vital.h",
        "if (sb->s_magic != CGROUP_SUPER_MAGIC && ",
        "if (",
        "test_escape.py::test_filesystems_that_may_not_be_mounted",
    ),
    _control(
        "records-told",
        "record.py",
        "live.state.records_ino = found.st_ino",
        "live.state.records_ino = 0",
        "kernel/test_escape.py::test_records",
    ),
    _control(
        "hard-links",
        "hardlinks.py",
        "if found.st_nlink > 1:",
        "if found.st_nlink < 1:",
        "unit/test_hardlinks.py::test_a_file_with_a_name_outside_is_found",
    ),
    _control(
        "way-sealed",
        "resolution.py",
        "self._entries.add(rule, object, 0, 0, sealed=True)",
        "self._entries.add(rule, object, 0, 0, sealed=False)",
        "unit/test_resolution.py::test_a_denial_seals_its_object_and_the_way_to_it",
    ),
    _control(
        "layers",
        "overlays.py",
        "for layer in dict.fromkeys(filter(None, (*lower, upper))):",
        "for layer in ():",
        "unit/test_overlays.py::test_layers_that_have_the_path_and_the_upper_one",
    ),
    _control(
        "sweep",
        "sweep.py",
        "gone = [slot for slot in slots if _half_made(slot, in_force) or _deserted(live, slot)]",
        "gone = []",
        "unit/test_crash_model.py::test_killed_at_every_step",
    ),
    _control(
        "name-hashes",
        "names.py",
        "made ^= made >> 29",
        "made ^= made >> 28",
        "build/test_decide.py::test_hashes_of_names",
    ),
)
BY_NAME = {mutation.name: mutation for mutation in MUTATIONS}


def apply(changes: Iterable[Change], folder: Path) -> dict[str, str]:
    """Copy the sources into a folder with changes made, and give the environment in which Python finds them.

    Raises ValueError where the text of one is not there once, as it must be.
    """
    for name in _COPIED:
        shutil.copytree(ROOT / name, folder / name)  # with the times that Python's caches go by
    for change in changes:
        text = (folder / change.file).read_text()
        if text.count(change.old) != 1:
            raise ValueError(f"{change.old!r} is {text.count(change.old)} times in {change.file}")
        (folder / change.file).write_text(text.replace(change.old, change.new))
    return {**os.environ, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
