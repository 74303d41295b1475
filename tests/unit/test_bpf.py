# SPDX-License-Identifier: GPL-2.0-only
"""What is attempted again while the kernel has no memory or no room at the moment."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from landlock_bpf import bpf, errors


def failing(*numbers: int) -> Callable[[], str]:
    """Fail with these, one after the other, then succeed."""
    left = list(numbers)

    def attempt() -> str:
        if left:
            raise errors.KernelError("try", "it", left.pop(0))
        return "done"

    return attempt


def test_what_passes_is_waited_for() -> None:
    assert bpf.insist(failing(errno.ENOMEM, errno.ENOMEM), (errno.ENOMEM,), 60) == "done"


@pytest.mark.parametrize("numbers", [(errno.E2BIG,), (errno.ENOMEM, errno.E2BIG)], ids=lambda numbers: str(len(numbers)))
def test_what_does_not_pass_is_an_error_at_once(numbers: tuple[int, ...]) -> None:
    with pytest.raises(errors.KernelError, match=os.strerror(errno.E2BIG)):
        bpf.insist(failing(*numbers, errno.EPERM), (errno.ENOMEM,), 60)


def test_what_never_passes_is_an_error_at_last() -> None:
    attempts = []

    def attempt() -> None:
        attempts.append(1)
        raise errors.KernelError("try", "it", errno.ENOMEM)

    with pytest.raises(errors.KernelError, match=os.strerror(errno.ENOMEM)):
        bpf.insist(attempt, (errno.ENOMEM,), 0.1)
    assert 1 < len(attempts) < 100
