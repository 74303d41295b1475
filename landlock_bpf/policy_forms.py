# SPDX-License-Identifier: GPL-2.0-only
"""The forms in which a policy can be written, ours and those of others, and which of them a file is in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from landlock_bpf import policy, policy_source


def load(path: Path, environ: Mapping[str, str]) -> policy.Policy:
    """Read a policy in whichever form its text is in; raises PolicyError with every problem."""
    text = policy_source.read_text(path)
    return policy.from_source(policy_source.parse(text, path), environ)
