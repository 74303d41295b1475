# SPDX-License-Identifier: GPL-2.0-only
"""convert: what is written means what it is said to mean, and what cannot be written is told."""

from __future__ import annotations

import dataclasses
import json
import os
import tomllib
from pathlib import Path

import hypothesis
import jsonschema
import pytest
from hypothesis import strategies as st

from landlock_bpf import (
    action_table,
    cli,
    policy,
    policy_actions,
    policy_conversion,
    policy_cover,
    policy_difference,
    policy_forms,
    policy_sandboxer,
    policy_schema,
)
from landlock_bpf.abi import Action

NOTHING = Action(0)
CLASSIC, LANDLOCK = policy_actions.CLASSIC, policy_actions.LANDLOCK
READ, WRITE = policy_actions.READ, policy_actions.WRITE
LOCATION = policy.Location("x", 1)
OURS = ("toml", "json")
OTHERS = tuple(name for name in policy_conversion.FORMS if name not in OURS)

SIMPLE = """\
default = "deny"
[[path_beneath]]
allowed_access = ["read", "execute"]
parent = ["/"]
[[path_beneath]]
allowed_access = ["write"]
parent = ["/tmp"]
"""
DENYING = SIMPLE + '[[path_beneath]]\ndenied_access = ["read", "chmod"]\nparent = ["/tmp/not/here"]\n'


@pytest.fixture
def convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    def convert(text: str, *words: str) -> tuple[int, str, str]:
        path = tmp_path / "some.toml"
        path.write_text(text)
        status = cli.main(["convert", str(path), *words])
        told = capsys.readouterr()
        return status, told.out, told.err

    return convert


def test_a_policy_may_be_converted_in_its_place(convert, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is whole at any time: either form."""
    path = tmp_path / "some.toml"
    seen = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (seen.append(path.read_text()), fsync(fd)))
    assert convert(SIMPLE, "--to", "toml", "-o", str(path)) == (0, "", "")
    assert (seen, path.read_text(), os.listdir(tmp_path)) == ([SIMPLE], EXPECTED["toml"], ["some.toml"])


EXPECTED = {
    "toml": 'name = "some"\n' + SIMPLE.replace("\n[[", "\n\n[["),
    "setpriv": "--landlock-access fs:execute,write-file,read-file,read-dir,remove-dir,remove-file,make-char,make-dir,make-reg,"
    "make-sock,make-fifo,make-block,make-sym,refer,truncate,ioctl-dev\n"
    "--landlock-rule path-beneath:execute,read-file,read-dir:/\n"
    "--landlock-rule path-beneath:write-file,remove-dir,remove-file,make-char,make-dir,make-reg,make-sock,make-fifo,"
    "make-block,make-sym,refer,truncate,ioctl-dev:/tmp\n",
    "landrun": "--unrestricted-network\n--rox /\n--rw /tmp\n",
}


@pytest.mark.parametrize("form", EXPECTED)
def test_texts(convert, form: str) -> None:
    assert convert(SIMPLE, "--to", form) == (0, EXPECTED[form], "")


@pytest.mark.parametrize(
    ("form", "ruled", "strict"),
    [("oci-1111", "ruleset", {"disableBestEffort": True}), ("oci-1241", "handledAccess", {"enableBestEffort": False})],
)
def test_oci(convert, form: str, ruled: str, strict: dict[str, bool], tmp_path: Path) -> None:
    status, out, err = convert(SIMPLE, "--to", form)
    assert (status, err) == (0, "")
    again = tmp_path / "again.json"
    again.write_text(out)
    assert policy.load(again, {})[0].handled == CLASSIC
    assert json.loads(out) == {
        ruled: {"handledAccessFS": list(action_table.names(CLASSIC))},
        "rules": {
            "pathBeneath": [
                {"allowedAccess": ["execute", "read_file", "read_dir"], "paths": ["/"]},
                {"allowedAccess": list(action_table.names(WRITE)), "paths": ["/tmp"]},
            ]
        },
        **strict,
    }


def test_what_the_newest_sandboxer_denies_is_told(convert) -> None:
    """It handles resolve_unix too, which this policy leaves alone."""
    status, out, err = convert(SIMPLE, "--to", "env")
    assert (status, out) == (1, "")
    assert "landlock-bpf:   resolve_unix: left alone in the policy, here denied\n" in err
    assert err.endswith("landlock-bpf: nothing was written; --lossy writes what can be said\n")
    assert convert(SIMPLE, "--to", "env", "--lossy")[:2] == (0, "LL_FS_RO=/\nLL_FS_RW=/tmp\n")


@pytest.mark.parametrize("form", OTHERS)
def test_what_is_lost_is_told(convert, form: str, tmp_path: Path) -> None:
    status, out, err = convert(DENYING, "--to", form)
    assert (status, out) == (1, "")
    assert "landlock-bpf: /tmp/not/here\nlandlock-bpf:   read: denied in the policy, here allowed\n" in err
    assert "chmod: denied in the policy, here left alone\n" in err
    assert "sealed in the policy, here not sealed" in err
    target = tmp_path / "out"
    assert convert(DENYING, "--to", form, "-o", str(target))[0] == 1
    assert not target.exists()
    status, out, _err = convert(DENYING, "--to", form, "--lossy", "-o", str(target))
    assert (status, out) == (0, "")
    assert cli.main(["convert", str(target), "--to", form]) == 0


@pytest.mark.parametrize("form", ["oci-1111", "oci-1241", "setpriv"])
def test_where_nothing_can_be_said(convert, form: str) -> None:
    """A policy that only denies has nothing for a form that only allows, --lossy or not."""
    text = 'default = "allow"\n[[path_beneath]]\ndenied_access = ["read"]\nparent = ["/tmp"]\n'
    status, out, err = convert(text, "--to", form, "--lossy")
    assert (status, out) == (1, "")
    assert "nothing of this policy can be said" in err


def test_permissive_is_no_other_forms_word(convert) -> None:
    status, _out, err = convert('mode = "permissive"\n' + SIMPLE, "--to", "landrun")
    assert status == 1
    assert "landlock-bpf: mode: permissive in the policy, here enforcing\n" in err


def test_what_files_do_not_have_is_left_out(convert, tmp_path: Path) -> None:
    """Other tools refuse a right on directories for a file; a group here means it for directories alone."""
    file, directory = tmp_path / "file", tmp_path / "dir"
    file.touch()
    directory.mkdir()
    text = f'default = "deny"\n[[path_beneath]]\nallowed_access = ["read", "write"]\nparent = ["{file}", "{directory}"]\n'
    status, out, err = convert(text, "--to", "setpriv")
    assert (status, err) == (0, "")
    assert f"path-beneath:write-file,read-file,truncate,ioctl-dev:{file}\n" in out
    assert f"path-beneath:write-file,read-file,read-dir,remove-dir,{','.join(())}" in out
    assert convert(text, "--to", "landrun")[:2] == (0, f"--unrestricted-network\n--rw {directory}\n--rw {file}\n")


def test_a_path_that_is_no_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"LL_FS_RO": "/\udcff", "LL_FS_RW": ""})
    assert cli.main(["convert", "env:", "--to", "toml"]) == 1
    assert "is not UTF-8 text" in capsys.readouterr().err


# Random policies.

NAMES = st.text(st.sampled_from("ab$'\"\\ :,#\x7f\né"), min_size=1, max_size=3).filter(lambda name: name.strip("."))
PATHS = st.lists(NAMES, max_size=3).map(lambda names: "/" + "/".join(names))
ACTIONS = (
    Action.READ_FILE,
    Action.READ_DIR,
    Action.EXECUTE,
    Action.WRITE_FILE,
    Action.REFER,
    Action.CHMOD,
    Action.IOCTL,
    Action.MOUNT,
)


def union(actions: set[Action]) -> Action:
    mask = NOTHING
    for action in actions:
        mask |= action
    return mask


MASKS = st.one_of(
    st.sets(st.sampled_from(ACTIONS)).map(union),
    st.sampled_from([READ, WRITE, READ | Action.EXECUTE, READ | WRITE, CLASSIC, LANDLOCK, action_table.ALL]),
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A policy file, in any of its grammar's ways."""

    def words() -> list[str]:
        chosen = draw(
            st.lists(
                st.sampled_from([*policy_actions.GROUPS, *action_table.names(union(set(ACTIONS)))]), min_size=1, max_size=3
            )
        )
        return list(dict.fromkeys(chosen))

    document: dict[str, object] = {}
    if default := draw(st.sampled_from(["", "deny", "allow"])):
        document["default"] = default
    if draw(st.booleans()):
        document["mode"] = draw(st.sampled_from(["enforcing", "permissive"]))
    if draw(st.booleans()):
        document["ruleset"] = [{"handledAccessFs": words()}]
    rules = []
    for _ in range(draw(st.integers(0, 4))):
        rule: dict[str, object] = {"parent": [draw(PATHS).replace("$", "$$")]}
        kind = draw(st.sampled_from(["allowedAccess", "deniedAccess", "name", "ioctlCommands"]))
        if kind == "name":
            rule |= {
                "deniedAccess": words(),
                "name": draw(st.lists(st.sampled_from(["*.pem", ".env", "\\?"]), min_size=1, unique=True)),
            }
        elif kind == "ioctlCommands":
            verb = draw(st.sampled_from(["allowedAccess", "deniedAccess"]))
            rule |= {
                verb: ["ioctl"],
                "ioctlCommands": draw(
                    st.lists(st.sampled_from(["TIOCSTI", 7, "FS_IOC_GETFLAGS", 0x80086601]), min_size=1, unique=True)
                ),
            }
        else:
            rule[kind] = words()
        rules.append(rule)
    if rules:
        document["pathBeneath"] = rules
    return json.dumps(document)


def read(text: str) -> policy.Policy:
    try:
        return policy_forms.parse(text, Path("some.json"), {})
    except policy.errors.PolicyError:
        hypothesis.reject()


@hypothesis.given(texts(), st.sampled_from(OURS))
def test_our_own_forms_lose_nothing(text: str, form: str) -> None:
    made = read(text)
    written = policy_conversion.convert(made, policy_conversion.FORMS[form])
    again = policy_forms.parse(written.text, Path("some"), {})
    assert not written.lost
    assert (again.name, again.handled, again.default, again.left, again.permissive) == (
        made.name,
        made.handled,
        made.default,
        made.left,
        made.permissive,
    )
    assert meanings(again) == meanings(made)
    document = json.loads(written.text) if form == "json" else tomllib.loads(written.text)
    jsonschema.validate(document, policy_schema.schema())


def meanings(made: policy.Policy) -> set[tuple[object, ...]]:
    return {
        (rule.path, rule.allowed, rule.denied, rule.explicit & (rule.allowed | rule.denied), rule.names, rule.commands)
        for rule in made.rules
        if rule.allowed or rule.denied
    }


@st.composite
def others(draw: st.DrawFn, form: str) -> policy.Policy:
    """A policy such as another form's files have."""
    sets = {"landrun": policy.LANDRUN, "env": policy_sandboxer.SETS}.get(form)
    handled = {"landrun": CLASSIC, "env": LANDLOCK}.get(form) or draw(MASKS) & LANDLOCK | Action.EXECUTE
    rights = st.sampled_from([*sets.values()]) if sets else MASKS.map(lambda mask: mask & handled or handled)
    paths = draw(
        st.lists(PATHS.filter(lambda path: not set(path) & {"env": {":"}, "landrun": {","}}.get(form, set())), max_size=4)
    )
    rules = tuple(policy.Rule(path, draw(rights), NOTHING, LOCATION) for path in paths)
    return policy.Policy("p", handled, "deny", rules, "x")


@pytest.mark.parametrize("form", OTHERS)
@hypothesis.given(data=st.data())
def test_other_forms_lose_nothing_of_their_own(form: str, data: st.DataObject) -> None:
    made = data.draw(others(form))
    written = policy_conversion.convert(made, policy_conversion.FORMS[form])
    assert written.lost is not None
    assert not written.lost
    # And through our own form.
    again = policy_forms.parse(policy_conversion.convert(made, policy_conversion.FORMS["toml"]).text, Path("x"), {})
    assert not policy_difference.compare(made, again)


@pytest.mark.parametrize("form", OTHERS)
@hypothesis.given(text=texts())
def test_what_another_form_loses_is_what_differs(form: str, text: str) -> None:
    """Whatever was written is understood, and differs from the policy as was said; a permission is never added where it was
    no rule's, nor by default."""
    made = read(text)
    written = policy_conversion.convert(made, policy_conversion.FORMS[form])
    if not written.text:
        assert written.lost is None
        return
    fitted = policy_cover.on_this_host(made)
    again = policy_cover.on_this_host(policy_forms.parse(written.text, Path("x"), {}))
    assert written.lost == policy_difference.compare(fitted, again)
    rules = tuple(
        dataclasses.replace(rule, denied=NOTHING, commands=rule.commands if rule.allowed else ()) for rule in fitted.rules
    )
    undenied = dataclasses.replace(fitted, rules=rules)
    for change in policy_difference.compare(undenied, again).changes:
        assert change.after is not policy_difference.Verdict.ALLOWED or change.before is not policy_difference.Verdict.DENIED
