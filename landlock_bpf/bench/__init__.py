# SPDX-License-Identifier: GPL-2.0-only
"""Bench: what operations cost unrestricted, under the landlock system calls, under our engine and its like."""
