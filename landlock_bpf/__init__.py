# SPDX-License-Identifier: GPL-2.0-only
"""Landlock as eBPF programs: the eBPF design of 2016-2019 on today's BPF LSM."""

__version__ = "0.1.0"
