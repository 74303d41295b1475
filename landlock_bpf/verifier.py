# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel's verifier says: its reason, and the line of the source that it was at."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from landlock_bpf import errors

# "; return *(int *)ctx->arg1; @ rule.c:12", before the instructions of that line (verbose_linfo).
_LINE = re.compile(r"^(?:\d+: .*)?; (?P<text>.*) @ (?P<file>[^/\n]+):(?P<line>\d+)$", re.M)
# Its last words, after the reason.
_STATISTICS = ("processed ", "verification time ", "stack depth ", "mark_precise: ")
_REPORT = "\nVerification failed: "


class Place(NamedTuple):
    """A line of a source."""

    file: str
    line: int


def reason(log: str) -> str:
    """Give the verifier's last words before its statistics, and before the report that newer kernels add (seen on 7.3)."""
    lines = [line.strip() for line in log.partition(_REPORT)[0].splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(_STATISTICS)]
    return told[-1] if told else "no reason given"


def place(log: str, sources: Mapping[str, str]) -> Place | None:
    """Find the last line of these sources (path to text) that the verifier was at; it names a file without its folder."""
    lines = {path: text.splitlines() for path, text in sources.items()}
    for found in reversed(list(_LINE.finditer(log))):
        at = int(found["line"])
        paths = [path for path in lines if Path(path).name == found["file"] and at <= len(lines[path])]
        if len(paths) > 1:
            # Files of one name in several folders: the text tells which, but for names that were changed.
            paths.sort(key=lambda path: -_likeness(lines[path][at - 1], found["text"]))
        if paths:
            return Place(paths[0], at)
    return None


def refusal(log: str, what: str, sources: Mapping[str, str]) -> errors.VerifierError:
    """Make the error for a refusal of `what`: at the line of the source where the log has it, else with the sources' names."""
    at = place(log, sources)
    said = f"the verifier refuses {what}: {reason(log)}"
    if at is None:
        return errors.VerifierError(f"{', '.join(sources)}: {said}", log)
    text = sources[at.file].splitlines()[at.line - 1].strip()
    return errors.VerifierError(f"{at.file}:{at.line}: {said}\n    {text}", log)


def _likeness(first: str, second: str) -> float:
    return difflib.SequenceMatcher(None, first, second).ratio()
