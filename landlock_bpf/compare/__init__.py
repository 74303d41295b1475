# SPDX-License-Identifier: GPL-2.0-only
"""Compare: the same operations on the same files, under each mechanism in turn, and what each said."""
