# SPDX-License-Identifier: GPL-2.0-only
"""The engine's program that puts threads into domains, as it is called: again where there was no memory, and not for ever."""

from __future__ import annotations

import errno
import os
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from landlock_bpf import bpf, engine, errors

STORED, NOT_STORED, ENDED = b"\1\0\0\0", bytes(4), b""
Answering = Callable[..., engine.Engine]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Answering:
    """Make an engine whose program prints these, one after the other, the last one for ever."""

    def make(*told: bytes) -> engine.Engine:
        left = list(told)
        monkeypatch.setattr(bpf, "iter_read", lambda link, what: left.pop(0) if len(left) > 1 else left[0])
        monkeypatch.setattr(bpf, "link_create_iter", lambda program, what, tid: os.open(os.devnull, os.O_RDONLY))
        made = engine.Engine(Path())
        vars(made).update(state=types.SimpleNamespace(entering=0), entrance=0)
        return made

    return make


@pytest.mark.parametrize("told", [(STORED,), (NOT_STORED, NOT_STORED, STORED)], ids=len)
def test_stored_in_the_end(told: tuple[bytes, ...], answering: Answering) -> None:
    live = answering(*told)
    assert live.enter(os.getpid(), 7)
    assert live.state.entering == 7


def test_thread_that_has_ended(answering: Answering) -> None:
    assert not answering(ENDED).enter(os.getpid(), 7)


def test_no_memory_at_all(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_REFILL", 0.05)
    with pytest.raises(errors.KernelError, match=r"cannot keep the process domain of thread 5: .*; free memory") as caught:
        answering(NOT_STORED).enter(5, 7)
    assert caught.value.errno == errno.ENOMEM
