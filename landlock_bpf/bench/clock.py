# SPDX-License-Identifier: GPL-2.0-only
"""What the clock counts here: instructions, in a guest that QEMU runs with -icount shift=0, or nanoseconds."""

from __future__ import annotations

import dataclasses

from landlock_bpf.bench import workload

ROUNDS = 100_000
TOLERANCE = 0.02
INSTRUCTIONS = "instructions"


@dataclasses.dataclass(frozen=True)
class Clock:
    """The unit of every figure, and what one instruction took by this clock in two loops of known length."""

    unit: str
    short_chain: float
    long_chain: float

    @property
    def counts_instructions(self) -> bool:
        return self.unit == INSTRUCTIONS


def read_clock(loop: workload.Workload) -> Clock:
    """Tell the unit by measurement, not by what was asked of QEMU: both loops must take one nanosecond an instruction."""
    short, long = loop.time_chains(ROUNDS)
    exact = all(abs(value - 1) < TOLERANCE for value in (short, long))
    return Clock(INSTRUCTIONS if exact else "ns", short, long)
