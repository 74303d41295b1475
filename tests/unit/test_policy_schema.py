# SPDX-License-Identifier: GPL-2.0-only
"""The JSON schema is current, and says the same as the loader."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import hypothesis
import jsonschema
import pytest
from hypothesis import strategies as st

from landlock_bpf import errors, names, policy, policy_actions, policy_schema

ROOT = Path(policy.__file__).parent.parent
SHIPPED = json.loads((ROOT / "landlock_bpf/policy.schema.json").read_text())
VALIDATOR = jsonschema.Draft7Validator(SHIPPED)

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 9),
    st.floats(),
    st.sampled_from(["", "x", "/", "${x}", "deny", "read", "bind_tcp"]),
    st.lists(st.sampled_from(["", "x", "/", "all"]), max_size=2),
    st.dictionaries(st.sampled_from(["name", "parent"]), st.text(max_size=2), max_size=1),
)
ACTIONS = st.lists(st.sampled_from(policy_actions.WORDS), min_size=1, max_size=3)
PATHS = st.lists(st.sampled_from(["/", "/a", ".", "${HOME}", "/${x}", "/$$"]), min_size=1, max_size=3)
RULE = st.one_of(
    st.fixed_dictionaries({"allowedAccess": ACTIONS, "parent": PATHS}),
    st.fixed_dictionaries(
        {"deniedAccess": ACTIONS.map(lambda words: [*words, "ioctl"]), "parent": PATHS},
        optional={
            "name": st.lists(st.sampled_from(["*.pem", ".env", "a*b", "..x", "*é", "\\?*"]), min_size=1, max_size=2),
            "ioctlCommands": st.lists(st.sampled_from(["TCGETS", 0, 0xFFFFFFFF]), min_size=1, max_size=2),
        },
    ),
)
VARIABLE = st.fixed_dictionaries({"name": st.sampled_from(["x", "y_2"]), "literal": PATHS})
GOOD = st.fixed_dictionaries(
    {
        "abi": st.integers(1, 11),
        "variable": st.lists(VARIABLE, max_size=2).map(lambda tables: [{"name": "x", "literal": ["/"]}, *tables]),
    },
    optional={
        "name": st.sampled_from(["a", "home minus ssh"]),
        "default": st.just("deny"),
        "mode": st.sampled_from(["enforcing", "permissive"]),
        "ruleset": st.lists(st.fixed_dictionaries({"handledAccessFs": ACTIONS}), min_size=1, max_size=2),
    },
).flatmap(lambda document: st.lists(RULE, min_size=1, max_size=3).map(lambda rules: {**document, "pathBeneath": rules}))
KEYS = [
    "abi",
    "name",
    "default",
    "ruleset",
    "scoped",
    "netPort",
    "parent",
    "literal",
    "allowedAccess",
    "deniedAccess",
    "path_beneath",
    "mode",
]


def damage(draw: st.DrawFn, value: object) -> object:
    """Replace, remove or add one thing somewhere in a document."""
    if isinstance(value, dict) and draw(st.booleans()):
        name = draw(st.sampled_from([*KEYS, *value]))
        if name in value and draw(st.booleans()):
            return {key: inner for key, inner in value.items() if key != name}
        return {**value, name: damage(draw, value[name]) if name in value else draw(ODD)}
    if isinstance(value, list) and value and draw(st.booleans()):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], damage(draw, value[index]), *value[index + 1 :]]
    if isinstance(value, dict) and value:
        name = draw(st.sampled_from(sorted(value)))
        return {**value, name: damage(draw, value[name])}
    return draw(ODD)


DAMAGED = st.composite(lambda draw: damage(draw, draw(GOOD)))()


def test_the_shipped_schema_is_current() -> None:
    assert policy_schema.schema() == SHIPPED, "run: python3 -m landlock_bpf.policy_schema > landlock_bpf/policy.schema.json"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SHIPPED)


@pytest.mark.parametrize("path", sorted((ROOT / "policies").glob("*.toml")), ids=lambda path: path.name)
def test_ready_policies_agree_with_the_schema(path: Path) -> None:
    VALIDATOR.validate(tomllib.loads(path.read_text()))


@hypothesis.given(GOOD)
def test_good_documents(tmp_path_factory: pytest.TempPathFactory, document: dict[str, object]) -> None:
    path = tmp_path_factory.getbasetemp() / "good.json"
    path.write_text(json.dumps(document))
    assert policy.load(path, {"HOME": "/home/u"})
    VALIDATOR.validate(document)


@hypothesis.given(st.text(st.sampled_from("a.*?[{\\/"), max_size=5))
def test_patterns_of_names_fit_the_schema_where_they_have_no_flaw(text: str) -> None:
    document = {"pathBeneath": [{"deniedAccess": ["read"], "parent": ["/"], "name": [text]}]}
    assert VALIDATOR.is_valid(document) is not bool(names.flaw(text))


@hypothesis.given(DAMAGED)
def test_what_the_loader_takes_the_schema_takes(tmp_path_factory: pytest.TempPathFactory, document: object) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_text(json.dumps(document))
    try:
        policy.load(path, {"HOME": "/home/u"})
    except errors.PolicyError as error:
        assert all(problem.what and problem.remedy for problem in error.problems)
        return
    VALIDATOR.validate(document)


@pytest.mark.parametrize(
    "document",
    [
        {"abi": 0},
        {"abi": True},
        {"default": "none"},
        {"name": ""},
        {"mode": "learn"},
        {"netPort": [{"allowedAccess": ["bind_tcp"], "port": [1]}]},
        {"ruleset": []},
        {"ruleset": [{}]},
        {"ruleset": [{"handledAccessFs": ["chmodd"]}]},
        {"ruleset": [{"handledAccessFs": ["read"], "handledAccessNet": ["bind_tcp"]}]},
        {"pathBeneath": [{"parent": ["/"]}]},
        {"pathBeneath": [{"allowedAccess": ["read"]}]},
        {"pathBeneath": [{"allowedAccess": [], "parent": ["/"]}]},
        {"pathBeneath": [{"allowedAccess": ["read"], "parent": "/"}]},
        {"pathBeneath": [{"allowedAccess": ["read"], "parent": ["/"]}], "path_beneath": []},
        *(
            {"pathBeneath": [{"deniedAccess": ["read"], "parent": ["/"], "name": [name]}]}
            for name in ("", "*", ".", "..", "a/b", "a*b*", "x" * 256)
        ),
        *(
            {"pathBeneath": [{"deniedAccess": ["ioctl"], "parent": ["/"], "ioctlCommands": [command]}]}
            for command in (-1, 1 << 32, "TCGET", True)
        ),
        {"variable": [{"name": "1"}]},
        {"variable": [{"literal": ["x"]}]},
    ],
    ids=json.dumps,
)
def test_both_refuse(tmp_path: Path, document: dict[str, object]) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(document))
    assert not VALIDATOR.is_valid(document)
    with pytest.raises(errors.PolicyError):
        policy.load(path, {})
