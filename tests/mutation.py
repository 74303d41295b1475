# SPDX-License-Identifier: GPL-2.0-only
"""Mutations: each switches one mechanism of the engine off, and names the tests that must fail then.

A mechanism without such a test would not be missed: docs/BYPASS.md counts a trick as closed only by mechanisms that are here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from landlock_bpf import compiler

BPF = Path(__file__).parent.parent / "bpf"


@dataclasses.dataclass(frozen=True)
class Mutation:
    """A mechanism, by a name, one place of its source with what is to stand there instead, and tests (pytest's ids)."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def hostly(self) -> bool:
        """Whether its tests need no kernel."""
        return all(test.startswith("tests/build/") for test in self.tests)


def _decide(name: str, old: str, new: str, test: str = "test_all_small_walks") -> Mutation:
    return Mutation(name, "decide.h", old, new, (f"tests/build/test_decide.py::{test}",))


def _kernel(name: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(name, file, old, new, tuple(f"tests/kernel/{test}" for test in tests))


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
        "return walk->depth++ > LIMIT_DEPTH;",
        "walk->end = walk->depth > LIMIT_DEPTH ? END_ROOT : walk->end;\n\treturn walk->depth++ > LIMIT_DEPTH;",
        "test_bypass.py::test_too_deep",
    ),
    _kernel(
        "opened",
        "file.h",
        "return keep_refused(subject.task, file);",
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
        "if (path->dentry->d_sb->s_magic != BPF_FS_MAGIC && !is_record(path->dentry) &&",
        "if (!is_record(path->dentry) &&",
        "test_escape.py::test_pins",
    ),
    _kernel(
        "records",
        "vital.h",
        "if (inode && inode->i_ino == state->records_ino)",
        "if (inode && !inode->i_ino)",
        "test_escape.py::test_records",
    ),
    _kernel(
        "process-domain",
        "domain.h",
        "subject->process = subject->task->domain;",
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
)
BY_NAME = {mutation.name: mutation for mutation in MUTATIONS}


def apply(mutation: Mutation, folder: Path) -> Path:
    """Copy bpf/ into a folder with the mechanism switched off; ValueError where its text is not there once, as it must be."""
    text = (BPF / mutation.file).read_text()
    if text.count(mutation.old) != 1:
        raise ValueError(f"{mutation.name}: {mutation.old!r} is {text.count(mutation.old)} times in bpf/{mutation.file}")
    target = folder / "bpf"
    shutil.copytree(BPF, target)
    (target / mutation.file).write_text(text.replace(mutation.old, mutation.new))
    return target


@contextlib.contextmanager
def switched_off(mutation: Mutation, folder: Path) -> Iterator[None]:
    """Have the engine compiled without the mechanism while the block runs."""
    sources = apply(mutation, folder)
    with mock.patch.object(compiler, "source_dir", lambda: sources):
        yield
