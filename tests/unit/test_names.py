# SPDX-License-Identifier: GPL-2.0-only
"""Patterns of names, and the hashes of names."""

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landlock_bpf import names

NAMES = st.text(st.sampled_from("ab.*"), min_size=1, max_size=5)


@given(NAMES, st.text(st.sampled_from("ab."), min_size=1, max_size=6))
def test_a_pattern_means_what_it_means_to_a_shell(text: str, name: str) -> None:
    if names.flaw(text):
        assert text in (".", "..", "*") or text.count("*") > 1 or re.search(r"(?<!\\)[?\[{\\]", text)
        return
    made = names.pattern(text)
    expected = re.fullmatch(fnmatch.translate(text), name) is not None
    assert made.matches(name.encode()) == expected
    assert made.exact == ("*" not in text)
    if expected:
        assert made.lasts >> name.encode()[-1] % 64 & 1


SPECIAL = "*?[{\\"


@given(*[st.text(st.sampled_from("a" + SPECIAL), min_size=1, max_size=4)] * 2)
def test_what_is_escaped_stands_for_itself(name: str, other: str) -> None:
    made = names.pattern("".join("\\" + sign if sign in SPECIAL else sign for sign in name))
    assert made == names.Pattern(name.encode(), b"", True)
    assert made.matches(other.encode()) == (other == name)


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "..", "a/b", "a\0", "*", "**", "a*b*", "x" * 256, "\ud800"),
        *("id_??", "[ab]", "*.[ch]", "*.{pem,key}", "a\\", "\\a", "\\]", "*\\?*", "\\\\?", "\\?" * 256),
    ],
)
def test_flaws(text: str) -> None:
    assert names.flaw(text)


@pytest.mark.parametrize(
    "text", ["...", "*.pem", ".env", "a*", "x" * 255, "é", "\udcff", "\\*", "*\\?", "\\?" * 255, "\\\\*", "]}"]
)
def test_no_flaws(text: str) -> None:
    assert names.flaw(text) == ""


def test_hashes_stay_what_they_are() -> None:
    """A change here that is none in bpf/decide.h opens every name rule: see also tests/build/test_decide.py."""
    assert names.hash_bytes(b"") == 0x186570448A57CF7B
    assert names.hash_bytes(b".env") == 0x343FC749A1FCDB24
    assert names.hash_bytes(b"id_ed25519") == 0xEA2CBE4D3DBACBCF
    assert names.hash_bytes(b"a") != names.hash_bytes(b"a\0") != names.hash_bytes(b"a\0\0")
    assert names.mix(0, names.hash_bytes(b"a")) != names.hash_bytes(b"a")


def test_prefixes() -> None:
    a, b = (names.hash_bytes(each) for each in (b"a", b"b"))
    assert list(names.prefixes([b"a", b"b"])) == [
        (names.mix(0, a), b"a", False),
        (names.mix(names.mix(0, b), a), b"b", True),
    ]


def test_bits_of_lengths() -> None:
    assert (names.length_bit(b"abc"), names.length_bit(b"x" * 64), names.length_bit(b"x" * 65)) == (8, 1, 2)
