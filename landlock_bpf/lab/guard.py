# SPDX-License-Identifier: GPL-2.0-only
"""What the container is put under, a column each: nothing, the landlock system calls, our engine."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

from landlock_bpf import compiler, features, landlock, policy
from landlock_bpf.lab import bundle

POLICY = "container.toml"
BARE, ENGINE = "bare", "bpf"
Enforced = Callable[[Path, Path], contextlib.AbstractContextManager[None]]


@dataclasses.dataclass(frozen=True)
class Guard:
    """A column. `missing` says why it cannot be tried here, with the remedy.

    `first` gives the words that come before the container's command line, and the program that they begin with. `enforced`
    gets the bundle's folder and the container's cgroup once the container is set up and before its first program runs.
    """

    name: str
    what: str
    missing: Callable[[], str | None]
    first: Callable[[], tuple[tuple[str, ...], Path | None]]
    enforced: Enforced


def _nothing_is_missing() -> str | None:
    return None


def _nothing_first() -> tuple[tuple[str, ...], Path | None]:
    return (), None


@contextlib.contextmanager
def _nothing_enforced(folder: Path, group: Path) -> Iterator[None]:
    yield


def _landlock_first() -> tuple[tuple[str, ...], Path | None]:
    from landlock_bpf.bench import binaries  # not for --help to load

    rights = landlock.access_fs(landlock.rights())
    return (f"/{bundle.FIRST}", hex(rights), "/", "--"), binaries.compile(binaries.RESTRICT)


def _bpf_is_missing() -> str | None:
    lacks = (feature for feature in features.probe() if feature.needed and feature.state == "no")
    return next((f"{feature.name}: {feature.detail}; {feature.remedy}" for feature in lacks), None)


@contextlib.contextmanager
def _attached(folder: Path, group: Path) -> Iterator[None]:
    """Do what `landlock-bpf attach` does, in the bundle's directory."""
    from landlock_bpf import controller  # not where the engine cannot be loaded

    with contextlib.chdir(folder):
        policies = policy.load(policy_file())
    with controller.Controller.open() as live, live.attach(group.name, policies, group):
        yield


def policy_file() -> Path:
    """Find the policy, which ships."""
    return compiler.policies_dir() / POLICY


GUARDS = (
    Guard(BARE, "the container as the runtime makes it", _nothing_is_missing, _nothing_first, _nothing_enforced),
    Guard(
        "landlock",
        "the landlock system calls: its first program allows itself its own root, with all rights that the kernel has",
        landlock.missing,
        _landlock_first,
        _nothing_enforced,
    ),
    Guard(
        ENGINE,
        f"policies/{POLICY} on its cgroup, attached from outside between the runtime's create and start",
        _bpf_is_missing,
        _nothing_first,
        _attached,
    ),
)
