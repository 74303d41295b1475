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

from landlock_bpf import rule_outline, rule_scanner, rule_text, source_text

# Many times what a rule needs; keeps /dev/zero out of memory.
SIZE_MAX = 256 << 10


def read(path: Path) -> rule_outline.Source:
    """Read a rule source; raises PolicyError with all problems of the file."""
    return parse(source_text.read(path, SIZE_MAX, "rule source"), str(path))


def parse(text: str, file: str) -> rule_outline.Source:
    """Find the rules, subtypes, views and the license in C text; raises PolicyError with all problems."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if "\r" in text:
        raise source_text.unfit(
            file, text.count("\n", 0, text.index("\r")) + 1, "a carriage return", "end lines with a newline"
        )
    try:
        return rule_scanner.scan(text, file)
    except rule_text.TextError as error:
        raise source_text.unfit(file, error.line, error.what, error.remedy) from error
