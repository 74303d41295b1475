# SPDX-License-Identifier: GPL-2.0-only
"""The catalogue of hooks and of what they ask rule programs, docs/HOOKS.md.

`python -m landlock_bpf.catalogue` writes it anew, and docs/ACTIONS.md of action_catalogue.py.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from landlock_bpf import abi, action_catalogue, questions

ROOT = Path(__file__).parent.parent
KERNELS = ROOT / "vm" / "kernels.toml"

HEAD = """\
# Hooks, and what they ask rule programs

Generated from `landlock_bpf/questions.py` by `python -m landlock_bpf.catalogue`: do not edit.

Of a task's domains that of processes is asked first, then that of its cgroup, then one that it left by itself; of a
domain's layers of rule programs the newest. In a layer a hook puts its questions in the order given here, each to the rule
programs of its event, the newest first. The first denial ends it, and the system call fails with EPERM. A question has two
arguments: `arg1`, a handle, stands for the object, and `arg2` says what is to be done to it. Where the object is NULL
nothing is asked, as of an anonymous mapping. Where inode_link asks READ of the old name, rule programs that have a view are
asked READ and WRITE: under its new name the file has other marks.

| handle | what the hook has | its place in a view |
|---|---|---|
| F | `struct file` | that by which it was opened, across mounts |
| P | `struct path` | its own, across mounts |
| D | `struct dentry` | through every mount that shows it; where they differ, none |
| I | `struct inode` | that of all its names, through every mount; where they differ, none |

`arg2` is a set of action bits for the event FS, and the command, as the kernel has it, for the others.
"""
ACTIONS = """\

## Action bits

{table}

Two functions make them of what a hook is given; what they do not name adds no bit, and an `arg2` of 0 is asked as well:

| function | from | bits |
|---|---|---|
| `fs_may_to_access()` | MAY_EXEC, MAY_READ, MAY_WRITE or MAY_APPEND, MAY_OPEN | EXEC, READ, WRITE, GET |
| `mem_prot_to_access()` | PROT_EXEC, PROT_READ, PROT_WRITE of a shared mapping | EXEC, READ, WRITE |
"""
MEANINGS = {
    abi.ActionFs.EXEC: "execute a file, or walk through a directory",
    abi.ActionFs.WRITE: "change a file, or what a directory shows; mounts too",
    abi.ActionFs.READ: "read a file or a directory, or what is known of it",
    abi.ActionFs.NEW: "a name comes into being",
    abi.ActionFs.GET: "open a file, or receive it from another process",
    abi.ActionFs.REMOVE: "a name goes",
    abi.ActionFs.IOCTL: "ioctl(2); FS_IOCTL has the command",
    abi.ActionFs.LOCK: "flock(2), or a lock of fcntl(2); FS_LOCK has the type",
    abi.ActionFs.FCNTL: "fcntl(2); FS_FCNTL has the command",
}


def generate() -> str:
    """Give the text of docs/HOOKS.md."""
    bits = [(action.name or "", f"1 << {action.bit_length() - 1}", meaning) for action, meaning in MEANINGS.items()]
    old = [row for row in questions.ROWS if not row.added]
    new = [row for row in questions.ROWS if row.added]
    left_out = [f"- `{hook}`: {reason}" for hook, reason in questions.NOT_ATTACHABLE.items()]
    parts = [
        HEAD,
        ACTIONS.format(table=_table(("bit", "value", "what is to be done"), bits)),
        f"\n## {len(old)} hooks of 2017\n\nIn the order of patch series v7.\n\n{_questions(old)}\n",
        "\nOf 2017, but not here:\n\n" + "\n".join(left_out) + "\n",
        f"\n## {len(new)} hooks added\n\nWithout them a rule of 2017 would have holes today.\n\n{_questions(new)}\n",
        f"\n## Events and their hooks\n\n{_table(('event', 'hooks', 'which'), _events())}\n",
        f"\n## Hooks that a kernel lacks\n\n{_table(('Linux', 'lacks'), _lacking())}\n",
    ]
    return "".join(parts)


def _questions(rows: Sequence[questions.Row]) -> str:
    """Write a line for each question, and for hooks that were added why they were."""
    lines = []
    for row in rows:
        for number, question in enumerate(row.questions):
            told = (question.event.name, f"{question.handle.name[0]} `{question.object}`", _arg2(question))
            lines.append(("", *told, "") if number else (f"`{row.hook}`", *told, row.added))
    head = ("hook", "event", "object", "arg2", "why")
    used = len(head) if any(row.added for row in rows) else len(head) - 1
    return _table(head[:used], [line[:used] for line in lines])


def _arg2(question: questions.Question) -> str:
    """Name the bits, or say where the command or the bits are taken from."""
    words = ", ".join(action.name or "" for action in abi.ActionFs if action & question.actions)
    return words if question.arg2.isdecimal() else " of ".join(filter(None, (words, f"`{question.arg2}`")))


def _events() -> Iterator[tuple[str, str, str]]:
    """Name the events. Of one with many hooks only the number is told: it is asked by nearly all."""
    for event in abi.Event:
        if rows := questions.asked((event,)):
            few = len(rows) * 2 < len(questions.ROWS)
            yield event.name, str(len(rows)), ", ".join(f"`{row.hook}`" for row in rows) if few else "all above"


def _lacking() -> Iterator[tuple[str, str]]:
    """Name what kernels lack; the tests hold each kernel's types against it."""
    hooks = {row.hook for row in questions.ROWS}
    for kernel in tomllib.loads(KERNELS.read_text())["kernel"]:
        lacks = [f"`{name}`" for name in kernel["absent"] if name in hooks]
        yield kernel["series"], ", ".join(lacks) or "none"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; a bar inside a cell would end it."""
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in cells)


if __name__ == "__main__":
    (ROOT / "docs" / "HOOKS.md").write_text(generate())
    (ROOT / "docs" / "ACTIONS.md").write_text(action_catalogue.generate())
