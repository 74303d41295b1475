# SPDX-License-Identifier: GPL-2.0-only
"""Experiments: a known way of breaking out, tried for real on files made for it, bare and under each mechanism in turn."""

CONTAINER_ESCAPE = "container-escape"
EXPERIMENTS = (CONTAINER_ESCAPE,)
