# SPDX-License-Identifier: GPL-2.0-only
"""In which form a policy is written, ours or another Landlock tool's; what reads it is imported only then."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from landlock_bpf import policy, policy_source

# What stands for the environment where a file could be named.
ENVIRONMENT = "env:"
# What other tools' files begin with, after blanks and remarks, and no TOML of ours does.
_FIRST_WORD = re.compile(r"(?:\s|#[^\n]*\n)*(setpriv\s|landrun\s|--landlock-|--[a-z]|(?:export\s+)?LL_\w+=)")


def load(path: Path, environ: Mapping[str, str]) -> policy.Policy:
    """Read a policy in whichever form its text is in, or from `environ`; raises PolicyError with every problem."""
    if str(path) == ENVIRONMENT:
        from landlock_bpf import policy_sandboxer

        return policy_sandboxer.from_environment(environ)
    return parse(policy_source.read_text(path), path, environ)


def parse(text: str, path: Path, environ: Mapping[str, str]) -> policy.Policy:
    """Read the text of a file."""
    if found := _FIRST_WORD.match(text):
        return _read_words(found[1], text, str(path))
    source = policy_source.parse(text, path)
    if source.json:
        from landlock_bpf import policy_oci

        place = policy_oci.find(source.values)
        if place is not None:
            return policy_oci.read(source, place)
    return policy.from_source(source, environ)


def is_toml(text: str, path: Path) -> bool:
    """Tell whether the text of a file is read as TOML, which is ours alone."""
    return not _FIRST_WORD.match(text) and not policy_source.is_json(text, path)


def _read_words(first: str, text: str, file: str) -> policy.Policy:
    if "LL_" in first:
        from landlock_bpf import policy_sandboxer

        return policy_sandboxer.read(text, file)
    if first.startswith(("setpriv", "--landlock-")):
        from landlock_bpf import policy_setpriv

        return policy_setpriv.read(text, file)
    from landlock_bpf import policy_landrun

    return policy_landrun.read(text, file)
