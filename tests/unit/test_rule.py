# SPDX-License-Identifier: GPL-2.0-only
"""rule: the words of its command line; the kernel is not asked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from landlock_bpf import abi, cli, controller, inventory, policy


class Fake:
    """A controller that notes what is to be removed."""

    def __init__(self) -> None:
        self.removed: list[tuple[str, str, int | None]] = []

    def remove_rule(self, name: str, path: str, layer: int | None = None) -> inventory.DomainInfo:
        self.removed.append((name, path, layer))
        return inventory.DomainInfo(name, abi.Kind.CGROUP, None, 1, 0, 0, 0, 0)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()

    @contextlib.contextmanager
    def open_fake() -> Iterator[Fake]:
        yield made

    monkeypatch.setattr(controller.Controller, "open", open_fake)
    monkeypatch.setattr(cli, "require_root", lambda: None)
    return made


@pytest.mark.parametrize("path", ["/srv/link/../x", "link/../x", ".//link/.././x/", "*.pem"])
def test_removed_is_the_path_as_policies_have_it(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """What is added by a path is removed by it: `show` has that of the rule."""
    monkeypatch.chdir(tmp_path)
    (added,) = policy.from_words(deny=[path]).rules
    assert cli.main(["rule", "remove", "workshop", path, "--layer", "1"]) == 0
    assert fake.removed == [("workshop", added.path, 1)]
