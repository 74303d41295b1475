# SPDX-License-Identifier: GPL-2.0-only
"""Mutations of what finds the domain of a task and keeps the task in it: by the file that the mechanism is in."""

from __future__ import annotations

import mutation


def _refused_storage(then: str) -> mutation.Change:
    """Refuse a task that is moved the storage that is made for it, as where another task is preempted in making its own."""
    refused = f"\tif (!own) {{\n\t\t{then}"
    made = "\town = bpf_task_storage_get(&tasks, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);\n"
    return mutation.Change("bpf/leaving.h", made + refused, "\town = NULL;\n" + refused)


ROWS = (
    mutation.of_engine(
        "process-domain",
        "domain.h",
        "subject->process = own ? own->domain : 0;",
        "subject->process = 0;",
        "test_confine.py::test_all_threads_and_children",
        "test_held.py::test_ring",
    ),
    mutation.of_engine(
        "cgroup-domain",
        "domain.h",
        "subject->cgroup = cgroup_domain(current, state);",
        "subject->cgroup = 0;",
        "test_bypass.py::test_tricks",
        "test_held.py::test_ring",
    ),
    mutation.of_engine(
        "unified",
        "domain.h",
        "return (__u64)cgroup->root == (__u64)bpf_get_current_task_btf()->cgroups->dfl_cgrp->root;",
        "return 1;",
        "test_cgroups.py::test_those_of_version_1",
    ),
    mutation.of_engine(
        "clone-into",
        "leaving.h",
        "if (clone_flags & CLONE_INTO_CGROUP) {",
        "if (0) {",
        "test_escape_cgroup.py::test_clone_into_cgroup",
    ),
    mutation.of_engine(
        "way-back",
        "leaving.h",
        "if (is_free(departure) && !is_inside(departure->arrives, held))\n"
        "\t\t\thold_in(own, departed, group_around(held, departure->arrives));",
        "hold_in(own, departed, 0);",
        "test_leaving.py::test_comes_back_and_leaves_without_pause",
    ),
    mutation.of_engine(
        "held",
        "leaving.h",
        "own->held = entry->cgroup;",
        "own->held = 0;",
        "test_leaving.py::test_inherited_descriptor",
        "test_leaving.py::test_inherited_descriptor_otherwise",
        "test_leaving.py::test_children_and_threads_from_before",
    ),
    mutation.of_engine(
        "departures",
        "leaving.h",
        "if (!state || bpf_map_update_elem(&departures, &pid, &departed, BPF_ANY)) {",
        "if (!state) {",
        "test_leaving.py::test_inherited_descriptor",
        "test_leaving.py::test_children_and_threads_from_before",
        "test_leaving.py::test_leaves_one_domain_after_another",
        "test_leaving.py::test_moved_by_somebody_outside",
        "test_leaving.py::test_cgroup_removed",
        "test_escape_cgroup.py::test_a_stranger_drawn_in",
        given=(_refused_storage("keep_departed(task, entry->cgroup, 0);"), _refused_storage("keep_departed(task, 0, 1);")),
    ),
    mutation.of_engine(
        "sticky", "leaving.h", "(entry->sticky && departure->arrives != domain)", "0", "test_sticky.py::test_moved_by_others"
    ),
    mutation.of_engine(
        "drawn", "leaving.h", "own->drawn = 1;", "own->drawn = 0;", "test_escape_cgroup.py::test_a_stranger_drawn_in"
    ),
    mutation.of_engine(
        "movers",
        "leaving.h",
        "departure.process = own ? own->domain : 0;",
        "departure.process = 0;",
        "test_escape_cgroup.py::test_moved_by_who_is_confined",
    ),
    mutation.of_engine(
        "ptrace",
        "ptrace.h",
        "return ask_ptrace(HOOK_PTRACE_ACCESS_CHECK, bpf_get_current_task_btf(), child,\n\t\t\t  mode & PTRACE_MODE_NOAUDIT);",
        "return 0;",
        "test_tracing.py::test_case",
        "test_held.py::test_process",
    ),
    mutation.of_engine(
        "traceme",
        "ptrace.h",
        "return ask_ptrace(HOOK_PTRACE_TRACEME, parent, bpf_get_current_task_btf(), 0);",
        "return 0;",
        "test_tracing.py::test_case",
    ),
    mutation.of_engine(
        "bpf", "escape.h", "return refuse_escape(HOOK_BPF, 0, 0);", "return 0;", "test_escape.py::test_every_bpf_command"
    ),
    mutation.of_engine(
        "lockdown", "escape.h", "return refuse_escape(HOOK_LOCKED_DOWN, 0, 0);", "return 0;", "test_escape.py::test_kernel"
    ),
    mutation.of_engine(
        "kernel-code",
        "escape.h",
        "return is_code(id) ? refuse_escape(HOOK_KERNEL_LOAD_DATA, 0, 0) : 0;",
        "return 0;",
        "test_escape.py::test_kernel",
    ),
    mutation.of_engine(
        "kernel-files",
        "escape.h",
        "return is_code(id) ? refuse_file(file, HOOK_KERNEL_READ_FILE) : 0;",
        "return 0;",
        "test_escape.py::test_kernel",
    ),
    mutation.of_engine(
        "perf", "escape.h", "return refuse_escape(HOOK_PERF_EVENT_OPEN, 0, 0);", "return 0;", "test_escape.py::test_kernel"
    ),
    mutation.of_engine(
        "task-lists",
        "vital.h",
        "return ask_task_list(report, CAST(struct kernfs_node, inode->i_private));",
        "return 0;",
        "test_escape_cgroup.py::test_list_of_tasks",
        "test_unattached.py::test_what_is_mounted_nowhere",
    ),
    mutation.of_engine(
        "vital",
        "vital.h",
        "return vital ? refuse_all(report) : 0;",
        "return 0;",
        "test_escape_files.py::test_files_that_control_the_kernel",
        "test_unattached.py::test_what_is_mounted_nowhere",
    ),
    mutation.of_engine(
        "presence",
        "vital.h",
        "if (lineage->disk || is_of_presence(name))",
        "if (lineage->disk)",
        "test_escape_files.py::test_files_by_which_disks_come_and_go",
    ),
    mutation.of_engine(
        "disk-mounts",
        "vital.h",
        "return refuse_disk();",
        "return refuse_disk() & 0;",
        "test_disks.py::test_disk_that_nobody_has_mounted",
    ),
    mutation.of_places(
        "asks-nobody",
        (
            mutation.Change(
                "landlock_bpf/descriptors.py",
                "pathname.text(told.path)",
                'os.stat(f"/proc/{pid}/fd/{told.fd}") and pathname.text(told.path)',
            ),
        ),
        "test_open_before.py::test_no_server_is_asked",
    ),
    mutation.of_engine(
        "record-attributes",
        "metadata.h",
        "return is_record(dentry) ? refuse_escape(hook, 0, (__u64)dentry) : 0;",
        "return 0;",
        "test_escape_records.py::test_attributes_of_records",
    ),
    mutation.of_engine(
        "pins",
        "vital.h",
        "if (!has_vital_folders(sb->s_magic) &&",
        "if (",
        "test_escape.py::test_pins",
    ),
    mutation.of_engine(
        "control-folders",
        "vital.h",
        "\t\treturn may_be_vital(magic);",
        "\t\treturn magic == BPF_FS_MAGIC;",
        "test_escape_files.py::test_folders_that_control_the_kernel",
    ),
    mutation.of_engine(
        "jit",
        "vital.h",
        'name.first == WORD("bpf_jit_", 0);',
        "0;",
        "test_escape_files.py::test_files_that_control_the_kernel",
    ),
    mutation.of_engine(
        "engine-mounts",
        "vital.h",
        "return magic == BPF_FS_MAGIC || magic == CGROUP2_SUPER_MAGIC;",
        "return 0;",
        "test_escape.py::test_mounts_by_which_the_engine_is_found",
    ),
    mutation.of_engine(
        "approach",
        "approach.h",
        "return refuse_escape(hook, address, dentry);",
        "return refuse_escape(hook, address, dentry) & 0;",
        "test_escape_mounts.py::test_by_one_among_others",
    ),
    mutation.of_control(
        "approach-told",
        "approach.py",
        "told[number].ino = _INO.unpack_from(place)[0]",
        "pass",
        "kernel/test_escape_mounts.py::test_by_one_among_others",
    ),
    mutation.of_engine(
        "outsiders",
        "approach.h",
        "found = !is_fellow(&theirs, &subject);",
        "found = 0;",
        "test_escape_mounts.py::test_by_one_among_others",
    ),
    mutation.of_engine(
        "spreading",
        "approach.h",
        "if (!mount->mnt_group_id &&",
        "if (",
        "test_escape_mounts.py::test_by_one_whose_mounts_spread",
        "test_escape_mounts.py::test_a_peer_of_its_mount_in_another_place",
    ),
    mutation.of_engine(
        "mount-points",
        "approach.h",
        "if (!is_approach(dentry) && (!second || !is_approach(second)))",
        "if (1)",
        "test_escape_mounts.py::test_the_directory_beneath_a_mount",
    ),
    mutation.of_engine(
        "overlay-mounts",
        "vital.h",
        "sb->s_magic != OVERLAYFS_SUPER_MAGIC &&\n\t    sb->s_magic != ECRYPTFS_SUPER_MAGIC)",
        "1)",
        "test_escape.py::test_filesystems_that_may_not_be_mounted",
    ),
    mutation.of_engine(
        "old-cgroups",
        "vital.h",
        "if (sb->s_magic != CGROUP_SUPER_MAGIC && ",
        "if (",
        "test_escape.py::test_filesystems_that_may_not_be_mounted",
    ),
    mutation.of_engine(
        "records",
        "remember.h",
        "if (inode && inode->i_ino == state->records_ino)",
        "if (inode && !inode->i_ino)",
        "test_escape_records.py::test_records",
    ),
    mutation.of_engine(
        "terminal",
        "file.h",
        "error = refuse_command(file, hook, command);",
        "error = 0;",
        "test_escape.py::test_kernel",
        "test_escape.py::test_commands_of_keyboards",
    ),
    mutation.of_engine(
        "vital-received",
        "file.h",
        "int error = refuse_vital_file(file, HOOK_FILE_RECEIVE);",
        "int error = 0;",
        "test_escape.py::test_descriptors_that_are_received",
    ),
    mutation.of_control(
        "records-told",
        "record.py",
        "live.state.records_ino = found.st_ino",
        "live.state.records_ino = 0",
        "kernel/test_escape_records.py::test_records",
    ),
    mutation.of_control(
        "stored-in-place",
        "engine.py",
        "            return bpf.insist(functools.partial(_entered, link, thread), (errno.ENOMEM,), _REFILL)",
        """\
            pidfd = os.pidfd_open(thread, os.O_EXCL)
            task = self.tasks.lookup(pidfd) or abi.Task()
            task.domain = index
            self.tasks.update(pidfd, task)
            os.close(pidfd)
            return True""",
        "kernel/test_leaving.py::test_moved_while_it_is_confined",
    ),
    mutation.of_control(
        "descriptors-given-up",
        "inheritance.py",
        "            os.dup2(nothing, fd, inheritable=False)",
        "            pass",
        "kernel/test_escape_cgroup.py::test_seized_as_it_enters",
    ),
    mutation.of_control(
        "memory-given-up",
        "inheritance.py",
        "    _give_up_memory()\n\n",
        "\n\n",
        "kernel/test_escape_cgroup.py::test_seized_as_it_enters",
    ),
    mutation.of_control(
        "grace",
        "change.py",
        "        grace.wait()\n        drop(live, old)",
        "        drop(live, old)",
        "kernel/test_replace.py::test_no_walk_outlives_its_policy",
    ),
    mutation.of_control(
        "prepared",
        "change.py",
        "            fsview.install(live, new)\n",
        """\
            if each.slot.ruleset:
                domain.switch(live, each.slot.index, new.index)
            fsview.install(live, new)
""",
        "kernel/test_crash.py::test_update",
    ),
    mutation.of_control(
        "sweep",
        "sweep.py",
        "gone = [slot for slot in slots if _half_made(slot, in_force) or _deserted(live, slot)]",
        "gone = []",
        "unit/test_crash_model.py::test_killed_at_every_step",
    ),
)
