# SPDX-License-Identifier: GPL-2.0-only
"""Variables: landlockconfig's rules for templates, and whose home ${HOME} is."""

from __future__ import annotations

import os
import pwd
import types
from collections.abc import Mapping
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from landlock_bpf import policy_variables

LITERALS = {"foo": ["bar"], "two": ["b", "a", "b"], "three": ["Y", "X", "Z"], "none": []}
PLAIN = policy_variables.User({"HOME": "/home/u", "USER": "u", "XDG_RUNTIME_DIR": "/run/x"})


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("", [""]),
        ("/x", ["/x"]),
        ("/${foo}/y", ["/bar/y"]),
        ("${two}", ["a", "b"]),
        ("before/${two}/${three}/after", [f"before/{two}/{three}/after" for two in "ab" for three in "XYZ"]),
        ("/x${none}", []),
        ("$$", ["$"]),
        ("$", ["$"]),
        ("$x", ["$x"]),
        ("$${foo}", ["${foo}"]),
        ("$${${foo}", ["${bar"]),
        ("{${foo}", ["{bar"]),
        ("$$$$${foo}", ["$$bar"]),
        ("${HOME}/.ssh", ["/home/u/.ssh"]),
        ("${XDG_RUNTIME_DIR}/${USER}", ["/run/x/u"]),
    ],
)
def test_expand(template: str, expected: list[str]) -> None:
    assert policy_variables.expand(template, LITERALS, PLAIN, 100) == expected


@pytest.mark.parametrize(
    ("template", "environ", "words"),
    [
        ("${nope}", {}, "no variable 'nope'"),
        ("${}", {}, "no variable ''"),
        ("${foo", {}, "no }"),
        ("${HOME}", {}, "HOME is not set"),
        ("${HOME}", {"HOME": ""}, "HOME is not set"),
        ("${USER}", {}, "USER is not set"),
        ("${PATH}", {"PATH": "/bin"}, "no variable 'PATH'"),
        ("${two}${two}${two}${two}", {}, "16 paths"),
    ],
)
def test_cannot_expand(template: str, environ: Mapping[str, str], words: str) -> None:
    with pytest.raises(policy_variables.VariableError) as caught:
        policy_variables.expand(template, LITERALS, policy_variables.User(environ), 15)
    what, remedy = caught.value.args
    assert words in what
    assert remedy


def test_a_variable_of_the_file_hides_a_built_in_one() -> None:
    assert policy_variables.expand("${HOME}", {"HOME": ["/srv"]}, PLAIN, 9) == ["/srv"]


def test_under_sudo_home_is_the_invoking_users(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = types.SimpleNamespace(pw_name="ann", pw_dir="/home/ann", pw_shell="/bin/sh")
    monkeypatch.setattr(pwd, "getpwuid", {1234: entry}.__getitem__)
    environ = {"HOME": "/root", "USER": "root", "XDG_RUNTIME_DIR": "/run/user/0", "SUDO_UID": "1234", "SUDO_GID": "1234"}
    template = "${HOME} ${USER} ${UID} ${XDG_RUNTIME_DIR}"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (sudo,) = policy_variables.expand(template, {}, policy_variables.User(environ), 9)
    assert sudo == "/home/ann ann 1234 /run/user/1234"
    # Who is not root did not come here through sudo, whatever the variables say.
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    (plain,) = policy_variables.expand(template, {}, policy_variables.User(environ), 9)
    assert plain == "/root root 1000 /run/user/0"


def test_pwd_is_the_real_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert policy_variables.expand("${PWD}", {}, policy_variables.User({"PWD": "/lie"}), 9) == [os.getcwd()]


@hypothesis.given(st.text(st.sampled_from("${}fo/x")))
def test_random_templates(template: str) -> None:
    try:
        paths = policy_variables.expand(template, LITERALS, PLAIN, 9)
    except policy_variables.VariableError:
        return
    assert len(paths) == 1


@hypothesis.given(st.text())
def test_doubled_dollars_are_literal(text: str) -> None:
    assert policy_variables.expand(text.replace("$", "$$"), {}, PLAIN, 1) == [text]
