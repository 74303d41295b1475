# SPDX-License-Identifier: GPL-2.0-only
"""The forms in which a policy can be written, ours and those of others, and which of them a file is in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from landlock_bpf import policy, policy_oci, policy_sandboxer, policy_setpriv, policy_source


def load(path: Path, environ: Mapping[str, str]) -> policy.Policy:
    """Read a policy in whichever form its text is in, or from `environ`; raises PolicyError with every problem."""
    if str(path) == policy_sandboxer.ENVIRONMENT:
        return policy_sandboxer.from_environment(environ)
    text = policy_source.read_text(path)
    if policy_setpriv.is_ours(text):
        return policy_setpriv.read(text, str(path))
    if policy_sandboxer.is_ours(text):
        return policy_sandboxer.read(text, str(path))
    source = policy_source.parse(text, path)
    if source.json:
        place = policy_oci.find(source.values)
        if place is not None:
            return policy_oci.read(source, place)
    return policy.from_source(source, environ)
