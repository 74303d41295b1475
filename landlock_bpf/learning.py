# SPDX-License-Identifier: GPL-2.0-only
"""The rules that a command needs, made of all that it was seen to do: few and readable, by a stated way of folding paths."""

from __future__ import annotations

import collections
import dataclasses
import heapq
import itertools
import posixpath
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from landlock_bpf import abi, action_table, policy, policy_actions

FOLD = 3
_DIRECTORIES = tuple(f"/{name}" for name in ("usr", "lib", "lib32", "lib64", "libx32", "bin", "sbin"))
RULE = f"""\
how paths are folded:
  1. What is asked of a directory's content (make_*, remove_*, refer) is a rule on the directory.
  2. A file or directory that the command made, or that is gone afterwards, folds to the directory it was made in. Who
     writes to a file that he made may also truncate it: it is there the next time.
  3. /proc/PID and all else below /proc folds to /proc, /dev/pts/N to /dev/pts: they are others each time.
  4. Reading and executing anything below {_DIRECTORIES[0]} (or {", ".join(_DIRECTORIES[1:])}) folds to that directory,
     with all of read and execute: the ELF interpreter, libraries and programs are needed by every command.
  5. More than N files or directories of one directory (--fold N, default {FOLD}) that are used in the same way become a
     rule on the directory, and so on upwards. However many they are, they become no rule on /, /etc or a home directory.
  6. What is renamed or linked into another directory may not gain rights there, so its old directory gets those of the new.
  7. What a rule on a directory above allows already is left out.
  8. What no rule can be tied to, for its filesystem names it anew, folds to the directory it is in.
Only step 5 spares /, /etc and home directories. What is made in one of them, is moved out of it, or folds to it by step 8
makes a rule on all of it, by step 2 with write_file and truncate: each rule that allows writing there, or above, is told."""
_USUAL = policy_actions.READ | abi.Action.EXECUTE
_SETTINGS = "/etc"
_VOLATILE = ("/proc", "/dev/pts")
_WRITING = policy_actions.WRITE | action_table.group("write_metadata")

# Says of a path on this host whether it is a directory, or None where there is nothing.
IsDirectory = Callable[[str], "bool | None"]
Rights = dict[str, abi.Action]


class Asked(NamedTuple):
    """Actions that a permissive policy would have denied; `path2` is the new name of a rename or link."""

    actions: abi.Action
    path: str
    path2: str = ""


@dataclasses.dataclass(frozen=True)
class Host:
    """What is to be known of the machine: the kind of each path afterwards, and home directories, which nothing folds to."""

    is_directory: IsDirectory
    homes: frozenset[str] = frozenset()

    def may_become(self, directory: str) -> bool:
        """Whether a rule on many files may become one on the directory."""
        return directory not in ("/", _SETTINGS) and directory not in self.homes


def rules(
    asked: Iterable[Asked], host: Host, *, fold: int = FOLD, handled: abi.Action = action_table.EVERY
) -> tuple[policy.Rule, ...]:
    """Make the rules that allow all that was asked, and nothing that is not handled; see RULE."""
    seen = list(dict.fromkeys(asked))
    made = {each.path2 or each.path for each in seen if each.actions & action_table.MAKING}
    rights: Rights = {}
    for path, actions in _needs(seen):
        if path in made and actions & abi.Action.WRITE_FILE:
            actions |= abi.Action.TRUNCATE
        _add(rights, ((place, rights & handled) for place, rights in _placed(path, actions, made, host)))
    rights = _folded(rights, host, fold)
    _even_out(rights, seen, made, host)
    return _made(rights)


def lifted(rules: Iterable[policy.Rule], numbers: Container[int]) -> tuple[policy.Rule, ...]:
    """Put the rules with these numbers, which are their lines, on the directories that their objects are in."""
    rights: Rights = {}
    for rule in rules:
        up = rule.location.line in numbers
        _add(rights, [(posixpath.dirname(rule.path) if up else rule.path, rule.allowed)])
    return _made(rights)


def sweeping(rules: Iterable[policy.Rule], host: Host) -> Iterator[policy.Rule]:
    """Give the rules that allow writing on all of /, of /etc or of a home directory."""
    wide = {above for place in (_SETTINGS, *host.homes) for above in (place, *_above(place))}
    return (rule for rule in rules if rule.path in wide and rule.allowed & _WRITING)


def _made(rights: Rights) -> tuple[policy.Rule, ...]:
    found = sorted((path, actions) for path, actions in _without_implied(rights).items())
    return tuple(
        policy.Rule(path, actions, policy.NOTHING, policy.Location("learned", number))
        for number, (path, actions) in enumerate(found, 1)
    )


def _needs(seen: Iterable[Asked]) -> Iterator[tuple[str, abi.Action]]:
    """Say of which object each action was asked."""
    for actions, path, path2 in seen:
        own = actions & ~action_table.OF_PARENT
        if own:
            yield path, own
        inner = actions & action_table.OF_PARENT
        old, new = posixpath.dirname(path), posixpath.dirname(path2 or path)
        if not path2:
            new, made = old, inner
        elif inner & action_table.MAKING and inner & action_table.REMOVING:
            made = inner  # something was replaced in the new directory, or two names exchanged: which is not known
        else:
            made = inner & ~action_table.REMOVING
        if left := inner & ~(policy.NOTHING if inner & action_table.REMOVING else action_table.MAKING):
            yield old, left
        if made:
            yield new, made


def _placed(path: str, actions: abi.Action, made: set[str], host: Host) -> Iterator[tuple[str, abi.Action]]:
    """Say where a rule for these actions on a path is to be."""
    for place in _VOLATILE:
        if path == place or path.startswith(f"{place}/"):
            yield place, actions
            return
    usual = actions & _USUAL
    for place in _DIRECTORIES:
        if usual and (path == place or path.startswith(f"{place}/")):
            yield place, _USUAL
            actions &= ~usual
    if actions:
        yield _lasting(path, made, host), actions


def _lasting(path: str, made: set[str], host: Host) -> str:
    """Give the nearest object on the way up that the command did not make and that is there."""
    place = path
    for above in (path, *_above(path)):
        if above in made or host.is_directory(above) is None:
            place = posixpath.dirname(above)
    return place


def _folded(rights: Rights, host: Host, most: int) -> Rights:
    """Give directories the rules that more than `most` of their members share."""
    members: dict[str, Rights] = {}
    for path, actions in _without_implied(rights).items():
        members.setdefault(posixpath.dirname(path), {})[path] = actions
    inner: dict[str, set[str]] = {}
    for place in members:
        for below, above in itertools.pairwise((place, *_above(place))):
            inner.setdefault(above, set()).add(below)
    # The deepest first: what a directory leaves may share more.
    waiting = [_by_depth(place) for place in members]
    heapq.heapify(waiting)
    while waiting:
        _, directory = heapq.heappop(waiting)
        shared = _shared(members[directory], most)
        if not shared or not host.may_become(directory):
            continue
        for place in _subtree(directory, inner):
            left = {path: rest for path, actions in members.get(place, {}).items() if (rest := actions & ~shared)}
            if left != members.get(place, {}):
                members[place] = left
                heapq.heappush(waiting, _by_depth(place))
        parent = posixpath.dirname(directory)
        _add(members.setdefault(parent, {}), [(directory, shared)])
        heapq.heappush(waiting, _by_depth(parent))
    return {path: actions for group in members.values() for path, actions in group.items()}


def _by_depth(directory: str) -> tuple[int, str]:
    return -directory.count("/"), directory


def _shared(members: Rights, most: int) -> abi.Action:
    """Give the first actions that more than `most` members have, and no others."""
    counts = collections.Counter(members.values())
    return next((actions for actions, count in counts.items() if count > most), policy.NOTHING)


def _subtree(directory: str, inner: Mapping[str, Iterable[str]]) -> Iterator[str]:
    waiting = [directory]
    while waiting:
        place = waiting.pop()
        yield place
        waiting.extend(inner.get(place, ()))


def _even_out(rights: Rights, seen: Iterable[Asked], made: set[str], host: Host) -> None:
    """Give the old directory of what was moved the rights that it has in the new one."""
    moved = [each for each in seen if each.path2 and posixpath.dirname(each.path) != posixpath.dirname(each.path2)]
    directories = {(each.path, each.path2) for each in moved if each.actions & abi.Action.MAKE_DIR}
    for each in moved:
        scope = action_table.EVERY if (each.path, each.path2) in directories else action_table.FILE
        places = (posixpath.dirname(path) for path in (each.path, each.path2))
        old, new = (_lasting(place, made, host) for place in places)
        if gained := _effective(rights, new) & ~_effective(rights, old) & scope & ~action_table.WITHHELD:
            _add(rights, [(old, gained)])


def _without_implied(rights: Mapping[str, abi.Action]) -> Rights:
    left: Rights = {}
    for path in sorted(rights, key=lambda path: path.count("/") if path != "/" else 0):
        if actions := rights[path] & ~_effective(left, path):
            _add(left, [(path, actions)])
    return left


def _effective(rights: Mapping[str, abi.Action], path: str) -> abi.Action:
    union = rights.get(path, policy.NOTHING)
    for above in _above(path):
        union |= rights.get(above, policy.NOTHING)
    return union


def _above(path: str) -> Iterator[str]:
    while path != "/":
        path = posixpath.dirname(path)
        yield path


def _add(rights: Rights, more: Iterable[tuple[str, abi.Action]]) -> None:
    for path, actions in more:
        rights[path] = rights.get(path, policy.NOTHING) | actions
