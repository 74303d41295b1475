# SPDX-License-Identifier: GPL-2.0-only
"""`why` and the kernel agree on random trees: what it says of an operation is what then comes of it."""

from __future__ import annotations

import collections
import contextlib
import errno
import itertools
import os
import random
import secrets
from pathlib import Path

import filesystem
import pytest
import rule
import why_operation
from member import Member

from landlock_bpf import action_table, asker, explanation, policy
from landlock_bpf.abi import Action
from landlock_bpf.compare import calls

NAMES = ("a", "b", "c.pem", ".env", "way")
PATTERNS = ("*.pem", ".env", "a*", "w*")
# Nothing has this name at first, nor what is denied beneath it.
WAY = "way"
# A folder in each, which no rule is about: nothing but names keeps it where it is.
SPARE = "spare"
TRIES = 240


def grow(top: Path, chance: random.Random) -> list[Path]:
    """Make a tree of folders and files three deep, one of each at least, and links to some of them."""
    made = [top / "folder", top / "file"]
    made[0].mkdir()
    made[1].write_text("text")
    for depth in range(3):
        for parent in [top, *(each for each in made if each.is_dir())]:
            for name in NAMES:
                path = parent / name
                if path.exists() or len(path.relative_to(top).parts) != depth + 1 or name == WAY or chance.random() < 0.4:
                    continue
                if chance.random() < 0.6 and depth < 2:
                    path.mkdir()
                else:
                    path.write_text("text")
                made.append(path)
    folders = [top, *(each for each in made if each.is_dir())]
    for number in range(4):
        (chance.choice(folders) / f"link{number}").symlink_to(chance.choice(made))
    for folder in folders:
        (folder / SPARE).mkdir()
    return made


def some(chance: random.Random, share: float = 0.5) -> Action:
    return Action(sum(action for action in why_operation.ACTIONS if chance.random() < share)) or Action.READ_FILE


def made_up(top: Path, paths: list[Path], layers: int, chance: random.Random) -> policy.Policy:
    """Make a policy of a few rules, of fewer where there are several policies: else all together would allow nothing.

    Each allows to read in places, and denies something of `file`, which seals it; denies paths that are not there, in folders
    that are not there either, and names beneath folders.
    """
    default = "deny" if chance.random() < 1 / (3 * layers) else "allow"
    rules = [rule.allow(top, some(chance) | Action.READ_FILE | Action.READ_DIR), rule.deny(top / "file", Action.WRITE_FILE)]
    for path in chance.sample(paths, min(len(paths), 3 // layers)):
        directory = path.is_dir()
        usable = why_operation.HANDLED if directory else action_table.FILE & why_operation.HANDLED
        rules.append(chance.choice((rule.allow, rule.deny))(path, some(chance, 0.3) & usable or Action.READ_FILE))
    folders = [top, *(path for path in paths if path.is_dir())]
    for folder in chance.sample(folders, min(len(folders), 5)):
        rules.append(rule.deny(folder / WAY / "secret", Action.READ_FILE))
    for folder in chance.sample(folders, 2):
        rules.append(rule.deny(folder, some(chance, 0.2), chance.choice(PATTERNS)))
    return rule.make(why_operation.HANDLED, *rules, default=default, name=f"policy{chance.randrange(100)}")


def kinds_of(path: Path) -> set[str]:
    """Say what a path is, and where it leads; what leads nowhere is a link alone."""
    if not os.path.lexists(path):
        return {"none"}
    found = {"link"} if path.is_symlink() else set()
    return found | ({"folder"} if path.is_dir() else {"file"} if path.is_file() else {"other"})


def pick(top: Path, chance: random.Random) -> Path:
    """Choose something in the tree, or a name that may not be there."""
    there = [path for path in top.rglob("*")]
    path = chance.choice([top, *there])
    if chance.random() < 0.5 and path.is_dir():
        path /= chance.choice(NAMES)
    return path if path != top else top / "a"


def pick_two(top: Path, chance: random.Random) -> tuple[Path, Path]:
    """Choose what is moved or linked, and whereto: in half of the cases to the same folder, where names alone decide."""
    path, share = pick(top, chance), chance.random()
    if share < 0.3:
        with contextlib.suppress(OSError):
            (path.parent / SPARE).mkdir(exist_ok=True)
            (path.parent / WAY).rmdir()
        return path.parent / SPARE, path.parent / WAY
    if share < 0.6:
        return path, path.parent / f"free{chance.randrange(1000)}"
    return path, pick(top, chance)


def tell(asked: asker.Asker, *words: str) -> explanation.Answer:
    return asked.answer(*words)


def is_at(path: Path, mount: Path) -> bool:
    """Whether the last name of a path is beneath a mount."""
    real = Path(os.path.realpath(path.parent))
    return mount in (real, *real.parents)


@pytest.mark.parametrize("layers", [1, 3])
def test_agrees_with_the_kernel(layers: int, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """What was said before each operation is what comes of it, EEXIST and the like apart."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    top = tree / "top"
    top.mkdir()
    paths = grow(top, chance)
    wrong = []
    counted = {True: 0, False: 0}
    with filesystem.mounted(top / "folder", top / "bound", flags=calls.MS_BIND) as bound:
        name = attach(*(made_up(top, paths, layers, chance) for _ in range(layers)))
        with asker.of_domain(name) as asked:
            for number in itertools.count():
                if sum(counted.values()) >= TRIES and all(counted.values()):
                    break
                assert number < 100 * TRIES, f"seed {seed}: {counted}"
                path = pick(top, chance)
                if chance.random() < 0.5:
                    act, word = chance.choice(why_operation.TWO)
                    path, path2 = pick_two(top, chance)
                    if not os.path.lexists(path) or not path2.parent.is_dir() or path == path2:
                        continue
                    if is_at(path, bound) != is_at(path2, bound) or Path(os.path.realpath(path.parent), path.name) == bound:
                        continue  # EXDEV or EBUSY, whatever policies say
                    answers, words = [tell(asked, word, str(path), str(path2))], (path, path2)
                else:
                    act, kind, questions = chance.choice(why_operation.ONE)
                    kinds = kinds_of(path)
                    if kind not in kinds or not path.parent.is_dir():
                        continue
                    answers, words = [tell(asked, question, str(path)) for question in questions], (path,)
                got = inside.errno(act, *words)
                if got not in (0, errno.EACCES, errno.EXDEV, errno.ENODATA):
                    continue
                denied = got in (errno.EACCES, errno.EXDEV)
                allowed = all(answer.allowed for answer in answers)
                counted[allowed] += 1
                if denied == allowed and not (denied and any(answer.unasked for answer in answers)):
                    wrong.append((act.__name__, words, errno.errorcode.get(got), answers))
    assert not wrong, f"seed {seed}: {dict(collections.Counter(each[0] for each in wrong))}, {wrong[0]}"
