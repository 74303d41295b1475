# SPDX-License-Identifier: GPL-2.0-only
"""Names of domains: which are fit, taken, and free."""

from __future__ import annotations

import pytest

from landlock_bpf import abi, domain, errors, naming

SLOTS = [domain.Slot(number, 1, abi.Kind.CGROUP, name, number) for number, name in enumerate(("web", "run-7", "run-7-2"), 1)]


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "a\n", "x" * 64])
def test_unfit(name: str) -> None:
    with pytest.raises(errors.LimitError, match="is no name for a domain"):
        naming.check(name)
    with pytest.raises(errors.LimitError, match="is no name for a domain"):
        naming.choose(name, SLOTS, "run-1")


@pytest.mark.parametrize("name", ["x" * 63, "run-12_a.b"])
def test_fit(name: str) -> None:
    assert naming.check(name) == naming.choose(name, SLOTS, "run-1") == name


def test_found() -> None:
    assert naming.find("run-7", SLOTS) is SLOTS[1]
    with pytest.raises(errors.NotFoundError, match="there is no domain run-8; `landlock-bpf list`"):
        naming.find("run-8", SLOTS)


def test_taken() -> None:
    naming.refuse_taken("run-8", SLOTS)
    for refuse in (naming.refuse_taken, lambda name, slots: naming.choose(name, slots, "run-8")):
        with pytest.raises(errors.BusyError, match="there is a domain web already"):
            refuse("web", SLOTS)


@pytest.mark.parametrize(("wanted", "free"), [("run-8", "run-8"), ("web", "web-2"), ("run-7", "run-7-3")])
def test_free(wanted: str, free: str) -> None:
    assert naming.choose(None, SLOTS, wanted) == naming.find_free(wanted, SLOTS) == free


def test_what_is_free_is_fit() -> None:
    with pytest.raises(errors.LimitError, match="is no name for a domain"):
        naming.find_free("x" * 60 + "-2345", SLOTS)
