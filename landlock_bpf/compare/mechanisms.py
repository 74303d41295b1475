# SPDX-License-Identifier: GPL-2.0-only
"""The table of mechanisms, in the order of the columns."""

from __future__ import annotations

from landlock_bpf.compare import mechanism, mechanism_none

MECHANISMS: tuple[mechanism.Mechanism, ...] = (mechanism_none.Nothing(),)
