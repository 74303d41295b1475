# SPDX-License-Identifier: GPL-2.0-only
"""Empty programs of BPF_LSM_CGROUP."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from landlock_bpf import bpf, cgroup, compiler, program, rule_slots

SOURCE = Path(__file__).with_name("empty.bpf.c")
PROGRAM = "empty_"  # before the name of its hook
_RELEASE = 10.0  # seconds that the kernel may take to let go of what was linked before


def compile() -> Path:
    """Compile the programs of all hooks, or find them compiled before."""
    text = SOURCE.read_text()
    parts = (*compiler.FLAGS, compiler.clang_version(compiler.find_clang()), text)
    return compiler.find_compiled("empty", parts, lambda path: compiler.compile_source(text, path))


@contextlib.contextmanager
def attached(path: Path, hooks: Sequence[str]) -> Iterator[None]:
    """Attach a program at each hook to a cgroup, until the end of the block."""
    with contextlib.ExitStack() as stack:
        target = cgroup.open_directory(path)
        stack.callback(os.close, target)
        loaded = stack.enter_context(program.Object.open_file(compile()))
        wanted = {PROGRAM + hook for hook in hooks}
        loaded.skip(set(loaded.program_names()) - wanted)
        loaded.load()
        for hook in hooks:
            stack.callback(os.close, _link(loaded.program(PROGRAM + hook), hook, target))
        yield


def _link(loaded: int, hook: str, target: int) -> int:
    """Link a program to its hook. What was linked before takes up room until the kernel has let go of it."""
    what = f"the hook {hook} of the control group"
    attempt = functools.partial(bpf.link_create, loaded, bpf.AttachType.LSM_CGROUP, what, target=target)
    return bpf.insist(attempt, (errno.EBUSY, *rule_slots.NO_ROOM), _RELEASE)
