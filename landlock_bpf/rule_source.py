# SPDX-License-Identifier: GPL-2.0-only
"""A rule source: a C file with rule programs in the form of Landlock's patch series v7 (August 2017).

    SEC("landlock1")
    static int read_only(struct landlock_context *ctx) { ... }

    SEC("subtype")
    static const union bpf_prog_subtype _subtype = { ... };

    SEC("license")
    static const char _license[] = "GPL";

What is in which section is found here, in the text, and nowhere else: what could hide a section from this reader is
refused. So no rule is missed, whatever a compiler would make of the file.
"""

from __future__ import annotations

from pathlib import Path

from landlock_bpf import errors, rule_outline, rule_scanner, rule_text

# Many times what a rule needs; keeps /dev/zero out of memory.
SIZE_MAX = 256 << 10


def read(path: Path) -> rule_outline.Source:
    """Read a rule source; raises PolicyError with all problems of the file."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(SIZE_MAX + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        words = getattr(error, "strerror", None) or str(error)
        raise _unreadable(file, 0, f"cannot be read: {words}", "name a rule source that you may read") from error
    if len(data) > SIZE_MAX:
        raise _unreadable(file, 0, f"is larger than {SIZE_MAX >> 10} KiB", "is it a rule source?")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _unreadable(file, data.count(b"\n", 0, error.start) + 1, "is not UTF-8 text", "save it as UTF-8") from error
    return parse(text, file)


def parse(text: str, file: str) -> rule_outline.Source:
    """Find the rules, subtypes, views and the license in C text; raises PolicyError with all problems."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if "\r" in text:
        raise _unreadable(file, text.count("\n", 0, text.index("\r")) + 1, "a carriage return", "end lines with a newline")
    try:
        return rule_scanner.scan(text, file)
    except rule_text.TextError as error:
        raise _unreadable(file, error.line, error.what, error.remedy) from error


def _unreadable(file: str, line: int, what: str, remedy: str) -> errors.PolicyError:
    return errors.PolicyError([errors.Problem(file, line, "", what, remedy)])
