# SPDX-License-Identifier: GPL-2.0-only
"""The same rules under the landlock system calls and under our engine: each operation ends alike, to the errno."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import operation
import pytest
import rule
from member import Member

from landlock_bpf import landlock, policy, policy_actions
from landlock_bpf.abi import Action

CLASSIC = policy_actions.CLASSIC
Rules = Sequence[tuple[str, Action]]

READING = Action.READ_FILE | Action.READ_DIR | Action.EXECUTE
MOVING = Action.REFER | Action.MAKE_REG | Action.MAKE_DIR | Action.REMOVE_FILE | Action.REMOVE_DIR
HALF = Action.READ_FILE | Action.MAKE_REG | Action.MAKE_SYM | Action.MAKE_FIFO | Action.REMOVE_DIR | Action.IOCTL_DEV

# What is allowed where; a layer a line. The folders are all, some, none, and some/more.
SETTINGS: dict[str, tuple[Rules, ...]] = {
    "all": ((("", CLASSIC),),),
    "nothing": ((),),
    "reading": ((("", READING),),),
    "unequal": ((("all", CLASSIC), ("some", HALF), ("some/more", CLASSIC), ("none/file", CLASSIC)),),
    "moving": ((("", MOVING), ("some", Action.READ_FILE), ("all", CLASSIC & ~Action.EXECUTE)),),
    "refer": ((("", CLASSIC & ~Action.REFER), ("all", Action.REFER)),),
    "two layers": (
        (("all", CLASSIC), ("some", CLASSIC)),
        (("", HALF | MOVING), ("some", Action.READ_FILE | Action.TRUNCATE)),
    ),
}
FOLDERS = ("all", "some", "none", "some/more")


def rename(top: Path, source: str, target: str) -> None:
    os.rename(top / source, top / target)


def link(top: Path, source: str, target: str) -> None:
    os.link(top / source, top / target)


def exchange(top: Path, source: str, target: str) -> None:
    operation.swap(top / source, top / target)


# What may not be there is left as it is: the folders are the same for both, whatever succeeded before.
MOVES = (
    (rename, "victim", "moved"),
    (rename, "folder", "moved-folder"),
    (link, "victim", "linked"),
    (exchange, "link", "other"),
)


def operations() -> Iterator[tuple[str, Callable[..., None], tuple[object, ...]]]:
    """Give a name, a function and what it takes beside the top folder."""
    for folder in FOLDERS:
        for row in operation.OPERATIONS:
            yield f"{row.name} in {folder}", in_folder, (row.run, folder)
    for act, name, new in MOVES:
        for source in FOLDERS:
            for target in FOLDERS:
                if source != target:
                    words = f"{source}/{name}", f"{target}/{new}{source[0]}" if act is not exchange else f"{target}/{new}"
                    yield f"{act.__name__} {words[0]} {words[1]}", act, words


def in_folder(top: Path, run: Callable[[Path], None], folder: str) -> None:
    run(top / folder)


def populate(top: Path) -> Path:
    for folder in FOLDERS:
        operation.populate(top / folder, program=True)
    return top


def restrict(top: Path, setting: Sequence[Rules]) -> None:
    """Put the calling process under landlock, a layer after the other."""
    for layer in setting:
        with landlock.Ruleset(CLASSIC) as ruleset:
            for place, actions in layer:
                ruleset.allow(top / place, actions)
            ruleset.restrict_self()


def policies(top: Path, setting: Sequence[Rules]) -> list[policy.Policy]:
    return [rule.make(CLASSIC, *(rule.allow(top / place, actions) for place, actions in layer)) for layer in setting]


@pytest.mark.parametrize("name", SETTINGS)
def test_alike(name: str, tree: Path, cgroup: Path, attach: rule.Attach) -> None:
    setting, steps = SETTINGS[name], list(operations())
    theirs, ours = populate(tree / "landlock"), populate(tree / "engine")
    (cgroup / "free").mkdir()
    with Member(cgroup / "free", before=lambda: restrict(theirs, setting)) as member:
        expected = {step: member.errno(run, theirs, *words) for step, run, words in steps}
    with Member(cgroup) as member:
        attach(*policies(ours, setting))
        assert {step: member.errno(run, ours, *words) for step, run, words in steps} == expected
    # It compared something: where there are rules, not everything is refused.
    assert (0 in expected.values()) == any(setting)
