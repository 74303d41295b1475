# SPDX-License-Identifier: GPL-2.0-only
"""threads: processes that are not there."""

from __future__ import annotations

import pytest

from landlock_bpf import errors, threads


@pytest.mark.parametrize("number", [-1, 0, 999_999])
def test_no_pidfd(number: int) -> None:
    """A process id is easily taken for one."""
    with pytest.raises(errors.NotFoundError, match=rf"^descriptor {number} is no pidfd; os.pidfd_open\(\) makes one$"):
        threads.find(number)


@pytest.mark.parametrize("pid", [-1, 0, 1 << 22, 1 << 31, 1 << 64])
def test_no_such_process(pid: int) -> None:
    with pytest.raises(errors.NotFoundError, match=f"there is no process {pid}"):
        threads.open_process(pid)
