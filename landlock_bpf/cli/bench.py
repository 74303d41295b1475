# SPDX-License-Identifier: GPL-2.0-only
"""Measure what mechanisms cost, in one run: none, the landlock system calls, this engine, and what else is there."""

from __future__ import annotations

from landlock_bpf import bench

EXAMPLES = """\
examples:
  vm/run --icount -- landlock-bpf bench
  sudo landlock-bpf bench --json figures.json
  landlock-bpf bench --load figures.json --markdown docs/PERFORMANCE.md
  landlock-bpf bench --check docs/PERFORMANCE.md
"""

add_arguments = bench.add_arguments
main = bench.main
