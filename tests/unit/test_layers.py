# SPDX-License-Identifier: GPL-2.0-only
"""Rule programs named on the command line: what fills their views, and what a refusal of the kernel tells."""

from __future__ import annotations

import argparse
import types
from pathlib import Path
from typing import Any, cast

import pytest

from landlock_bpf import cli, controller, errors, rule_program, rule_request
from landlock_bpf.cli import layers
from landlock_bpf.marking import Tree

VARIABLES = {"LL_PATH_RO": "/usr", "LL_PATH_RW": "/tmp"}


def args(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    layers.add_arguments(parser)
    return parser.parse_args(words)


def test_the_only_view_is_filled_from_the_environment() -> None:
    assert layers.marked(args(), ["trees"], VARIABLES) == {"trees": (Tree(1, "/usr"), Tree(2, "/tmp"))}
    # Not where it is said otherwise, nor where one would have to guess which.
    assert layers.marked(args("--view", "trees=ro:/etc"), ["trees"], VARIABLES) == {"trees": (Tree(1, "/etc"),)}
    assert layers.marked(args(), ["one", "two"], VARIABLES) == {}
    assert layers.marked(args(), ["trees"], {}) == {}


def test_the_verifiers_log_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (((), ""), (("--verifier-log",), "landlock-bpf: 0: (b7) r0 = 2\nlandlock-bpf: no\n")):
        with pytest.raises(errors.VerifierError), layers.told(args(*words)):
            raise errors.VerifierError("it is refused", "0: (b7) r0 = 2\nno")
        assert capsys.readouterr().err == expected


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the controller is asked to do."""
    found: list[tuple[Any, ...]] = []

    class Fake:
        def __enter__(self) -> Fake:
            return self

        def __exit__(self, *exc: object) -> None:
            pass

        def __getattr__(self, name: str) -> Any:
            return lambda *given, **named: (found.append((name, *given, named)), types.SimpleNamespace(held=(), notes=()))[1]

    monkeypatch.setattr(controller.Controller, "open", lambda: cast(controller.Controller, Fake()))
    monkeypatch.setattr(cli, "require_root", lambda: None)
    return found


def test_an_update_of_views_alone(calls: list[tuple[Any, ...]]) -> None:
    assert cli.main(["update", "n", "--view", "trees=ro:/usr", "--view", "others="]) == 0
    assert calls == [("mark", "n", {"trees": (Tree(1, "/usr"),), "others": ()}, {})]


def test_rules_and_policies_are_given_together(calls: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    layer = rule_program.RuleLayer(("text",), (), (), ())
    monkeypatch.setattr(rule_request, "compile", lambda paths, loader: layer)
    policy = str(Path(__file__).parents[2] / "policies" / "home-minus-ssh.toml")
    words = ["-p", policy, "-r", "x.c", "--attach", "auto"]
    assert cli.main(["attach", *words, "--cgroup", "/x", "--name", "n"]) == 0
    ((command, name, policies, place, named),) = calls
    assert (command, name, place, len(policies), named["strict"]) == ("attach", "n", Path("/x"), 1, False)
    assert named["rules"] == rule_request.Request(layer, "libbpf", "auto", {})


def test_setprivs_options_are_one_more_layer(calls: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LL_FS_RO", "/usr")
    monkeypatch.setenv("LL_FS_RW", "")
    options = ["--landlock-access", "fs:execute", "--landlock-rule", "path-beneath::/usr"]
    for command in (["attach", "--cgroup", "/x", "--name", "n"], ["update", "n"]):
        assert cli.main([*command, *options]) == 0
        assert cli.main([*command, "-p", "env:", *options]) == 0
    for _command, _name, policies, *_rest in calls:
        assert [policy.name for policy in policies] == ["environment", "command line"][-len(policies) :]
        assert [rule.path for rule in policies[-1].rules] == ["/usr"]
    assert [len(policies) for _command, _name, policies, *_rest in calls] == [1, 2, 1, 2]
