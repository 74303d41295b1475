# SPDX-License-Identifier: GPL-2.0-only
"""Rule programs attached to control groups with BPF_LSM_CGROUP."""

from __future__ import annotations

import os
from pathlib import Path

import locking
import pytest
import rule
from locking import AUTO, ENGINE, LSM_CGROUP, NO
from member import Member
from test_crash import state

from landlock_bpf import bpf, compiler, controller, program, rule_slots

pytestmark = pytest.mark.usefixtures("cleared")


def test_linked_to_the_control_group(file: Path, cgroup: Path, inside: Member, live: controller.Controller) -> None:
    """BPF_LSM_CGROUP: for all beneath, updated and detached as well, and said by show."""
    live.attach("test", [], cgroup, rules=rule.programs("shared", attach=LSM_CGROUP))
    inner = cgroup / "inner"
    inner.mkdir()
    with Member(inner) as beneath:
        assert locking.seen(inside, file) == locking.seen(beneath, file) == (NO, 0)
    (programs,) = (layer.programs for layer in live.show("test").policies)
    assert programs and (programs.attach, programs.why, programs.hooks) == (LSM_CGROUP, "it was asked for", ("file_lock",))
    live.update("test", [], rules=rule.programs("exclusive", attach=AUTO))
    assert locking.seen(inside, file) == (0, NO)
    live.update("test", [], rules=rule.programs("shared"))
    assert locking.seen(inside, file) == (NO, 0)
    live.detach("test")
    assert locking.seen(inside, file) == (0, 0)


HOOKS = ("socket_bind", "socket_create", "socket_listen", "socket_connect", "socket_accept", "socket_sendmsg", "socket_recvmsg",
         "socket_getsockname", "socket_getpeername", "socket_shutdown")  # fmt: skip
TAKING = """
#include "kernel.h"
char LICENSE[] SEC("license") = "GPL";
""" + "".join(f'SEC("lsm_cgroup/{hook}") int take_{hook}(void *ctx) {{ return 1; }}\n' for hook in HOOKS)


def test_all_room_of_lsm_cgroup_taken(
    file: Path, cgroup: Path, inside: Member, live: controller.Controller, tmp_path: Path
) -> None:
    """Ten hooks in the whole system: an error that says so, and with auto the engine."""
    compiler.compile_source(TAKING, tmp_path / "taking.o", include=(compiler.source_dir(),))
    place, links = cgroup.parent / "taking", []
    place.mkdir()
    target = os.open(place, os.O_RDONLY)
    try:
        with program.Object.open_file(tmp_path / "taking.o") as taking:
            taking.load()
            for name in taking.program_names():
                links.append(bpf.link_create(taking.program(name), bpf.AttachType.LSM_CGROUP, name, target=target))
        before = state(live)
        with pytest.raises(rule_slots.NoRoomError, match="none for file_lock; use --attach engine"):
            live.attach("test", [], cgroup, rules=rule.programs("shared", attach=LSM_CGROUP))
        assert state(live) == before and locking.seen(inside, file) == (0, 0)
        live.attach("test", [], cgroup, rules=rule.programs("shared", attach=AUTO))
        (programs,) = (layer.programs for layer in live.show("test").policies)
        assert programs and programs.attach == ENGINE and "have all its room" in programs.why
        assert locking.seen(inside, file) == (NO, 0)
    finally:
        for fd in (*links, target):
            os.close(fd)
        place.rmdir()
