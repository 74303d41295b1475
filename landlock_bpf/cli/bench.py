# SPDX-License-Identifier: GPL-2.0-only
"""Measure open+close: unrestricted, under the landlock syscalls and under this engine, in one run."""

from __future__ import annotations

from landlock_bpf import bench

EXAMPLES = """\
examples:
  vm/run --icount -- python3 -m landlock_bpf bench
  sudo landlock-bpf bench --json figures.json
"""

add_arguments = bench.add_arguments
main = bench.main
