# SPDX-License-Identifier: GPL-2.0-only
"""What is denied on an overlay is denied in each of its layers as well, before it is there and afterwards."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import filesystem
import operation
import pytest
import rule
from member import Member

from landlock_bpf import controller
from landlock_bpf.abi import Action

DENIED = Action.READ_FILE
LAYERS = ("lower", "middle", "upper")


@contextlib.contextmanager
def overlay(base: Path) -> Iterator[Path]:
    data = f"lowerdir={base}/middle:{base}/lower,upperdir={base}/upper,workdir={base}/work"
    (base / "work").mkdir()
    with filesystem.mounted("none", base / "merged", "overlay", data=data) as merged:
        yield merged


@pytest.fixture
def merged(tree: Path) -> Iterator[Path]:
    """An overlay whose folder lies in each of its layers, with a file of each layer and one of all."""
    for layer in LAYERS:
        for folder in ("secret", "open"):
            (tree / layer / folder).mkdir(parents=True)
            for name in (layer, "all"):
                (tree / layer / folder / name).write_text(layer)
    with overlay(tree) as made:
        yield made


def read(path: Path) -> None:
    operation.touch(path, os.O_RDONLY)


def outcomes(inside: Member, top: Path, folder: str) -> list[int]:
    names = [f"{layer}/{folder}/{name}" for layer in LAYERS for name in (layer, "all")]
    names += [f"merged/{folder}/{name}" for name in (*LAYERS, "all")]
    return [inside.errno(read, top / name) for name in names]


@pytest.mark.parametrize("denied", ["secret", "patterns"])
def test_in_every_layer(denied: str, merged: Path, tree: Path, inside: Member, attach: rule.Attach) -> None:
    assert outcomes(inside, tree, "secret") == [0] * 10
    patterns = ("a*", "l*", "m*", "u*") if denied == "patterns" else ()
    attach(rule.make(DENIED, rule.deny(merged / "secret", DENIED, *patterns), default="allow"))
    assert outcomes(inside, tree, "secret") == [errno.EACCES] * 10
    assert outcomes(inside, tree, "open") == [0] * 10


@pytest.mark.parametrize("denied", ["secret", "patterns", "missing"])
def test_with_its_rule(
    denied: str, merged: Path, tree: Path, inside: Member, attach: rule.Attach, live: controller.Controller
) -> None:
    """It is one rule: removed on the overlay, it is so in each layer; and added, it is there."""
    path, patterns = merged / "secret", ()
    if denied == "patterns":
        patterns = ("a*", "l*", "m*", "u*")
    elif denied == "missing":
        path = merged / "open/new"
    name = attach(rule.make(DENIED, rule.deny(path, DENIED, *patterns), default="allow"))
    if denied == "missing":
        path.write_text("")
    places = [each / path.relative_to(merged) for each in (merged, tree / "upper")]

    def tried() -> list[int]:
        return [inside.errno(read, each) for each in places] if denied == "missing" else outcomes(inside, tree, "secret")

    assert set(tried()) == {errno.EACCES}
    live.remove_rule(name, str(path))
    assert set(tried()) == {0}
    (shown,) = live.show(name).policies
    assert (shown.rules, live.show(name).info.rules) == ((), 0)
    live.add_rules(name, rule.make(DENIED, rule.deny(path, DENIED, *patterns), default="allow"))
    assert set(tried()) == {errno.EACCES}
    assert {each.path for each in live.show(name).policies[0].rules} == (
        {f"{path}/**/{each}" for each in patterns} or {str(path)}
    )


def test_other_links_in_the_layers(merged: Path, tree: Path, inside: Member, attach: rule.Attach) -> None:
    """What a layer has of a denied directory, and the overlay does not show, has its other names denied as well."""
    os.link(tree / "lower/secret/all", tree / "elsewhere")
    attach(rule.make(DENIED, rule.deny(merged / "secret", DENIED), default="allow"))
    assert inside.errno(read, tree / "elsewhere") == errno.EACCES


def test_what_is_copied_up(merged: Path, tree: Path, inside: Member, attach: rule.Attach) -> None:
    (tree / "lower" / "alone").mkdir()
    (tree / "lower" / "alone" / "file").write_text("")
    filesystem.drop_caches()
    attach(rule.make(DENIED, rule.deny(merged / "alone" / "file", DENIED), default="allow"))
    assert not (tree / "upper" / "alone").exists()
    (merged / "alone" / "file").write_text("changed")
    assert (tree / "upper" / "alone" / "file").exists()
    for place in (merged, tree / "upper", tree / "lower"):
        assert inside.errno(read, place / "alone" / "file") == errno.EACCES


def test_what_is_not_there_yet(merged: Path, tree: Path, inside: Member, attach: rule.Attach) -> None:
    attach(rule.make(DENIED, rule.deny(merged / "open" / "new" / "key", DENIED), default="allow"))
    (merged / "open" / "new").mkdir()
    for name in ("key", "other"):
        (merged / "open" / "new" / name).write_text("")
    for place in (merged, tree / "upper"):
        assert inside.errno(read, place / "open" / "new" / "key") == errno.EACCES
        assert inside.errno(read, place / "open" / "new" / "other") == 0
