# SPDX-License-Identifier: GPL-2.0-only
"""The inventory of a domain, over stand-ins for the kernel's maps."""

from __future__ import annotations

import os
import types
from pathlib import Path
from typing import cast

import pytest
from test_resolution import identify

from landlock_bpf import (
    abi,
    cgroup,
    domain,
    engine,
    errors,
    identity,
    inventory,
    policy_forms,
    record,
    resolution,
    ruleset,
    ways,
)
from landlock_bpf.abi import Action
from landlock_bpf.cli import show

HERE, GONE = (identity.OBJECT.pack(5, 0, device, 1) for device in (8, 9))


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> engine.Engine:
    monkeypatch.setattr(record, "RULESETS", tmp_path)
    monkeypatch.setattr(record, "PAST", tmp_path / "past")
    monkeypatch.setattr(cgroup, "find", lambda number: Path("/sys/fs/cgroup/x"))
    monkeypatch.setattr(cgroup, "processes", lambda path: iter([3, 4, 3]))
    entries = (
        ruleset.Entry(HERE, 0, int(Action.READ_FILE), True, "/here", "p.toml", 2),
        ruleset.Entry(identity.OBJECT.pack(6, 0, 8, 1), 0, 0, True, "/here", "p.toml", 2),
        ruleset.Entry(GONE, int(Action.READ_FILE | Action.IOCTL), 0, False, "/gone", "p.toml", 4, (0x5412,)),
    )
    layer = ruleset.Layer(
        "x", 7, "p", "p.toml", int(Action.READ_FILE | Action.REFER), False, 2, True, ((HERE, 1), (GONE, 1)), entries
    )
    record.write(record.Record(7, 3, "x", "", (layer,)))
    fsview = types.SimpleNamespace(lookup=lambda key: None if key.startswith(GONE) else b"rule")
    model = types.SimpleNamespace(
        ruleset=lambda index: abi.Ruleset(serial=7, layers=1),
        fsview=fsview,
        attached=lambda: {"file_open", "sb_mount", "path_unlink", "file_truncate"},
        rates=types.SimpleNamespace(lookup=lambda index: abi.Rate(dropped_ever=2)),
    )
    return cast(engine.Engine, model)


SLOT = domain.Slot(1, 3, abi.Kind.CGROUP, "x", 10)


def test_a_line_of_the_list(live: engine.Engine) -> None:
    found = inventory.describe(live, SLOT)
    assert (found.name, found.layers, found.rules, found.ended, found.tasks) == ("x", 1, 2, 1, 2)
    assert found.cgroup == Path("/sys/fs/cgroup/x")


def test_a_domain_in_full(live: engine.Engine) -> None:
    found = inventory.detail(live, SLOT, [SLOT])
    (layer,) = found.policies
    here, gone = layer.rules
    assert (here.path, here.denied, here.objects, here.ended) == ("/here", Action.READ_FILE, 2, False)
    assert (gone.path, gone.allowed, gone.line, gone.ended) == ("/gone", Action.READ_FILE | Action.IOCTL, 4, True)
    assert (here.commands, gone.commands) == ((), (0x5412,))
    assert (layer.default, found.handled, found.lost, found.parent) == ("deny", Action.READ_FILE | Action.REFER, 2, "")
    whys = {hook.name: hook.why for hook in found.hooks}
    assert set(whys) == {"file_open", "sb_mount", "path_unlink", "file_truncate"}
    assert whys["file_open"].startswith("read_file") and "denials, which seal" in whys["path_unlink"]
    assert whys["file_truncate"] == ""


def rules_of(*said: str, tmp_path: Path) -> list[tuple[str, ...]]:
    """What `show` says of the rules of a policy that is written on one line."""
    rules = ",".join(said).replace("HERE", str(tmp_path))
    made = policy_forms.parse(f'{{"default":"allow","pathBeneath":[{rules}]}}', Path("p.json"), {})
    with ways.Filesystems() as filesystems:
        (layer,) = resolution.resolve([made], "x", 7, identify, filesystems)
    living = {entry.object[identity.DEVICE] for entry in layer.entries}
    found = inventory._layer(cast(engine.Engine, None), layer, living).rules
    assert all(rule.line == 1 and rule.objects and not rule.ended for rule in found)
    return [(os.path.relpath(rule.path, tmp_path), show._says(rule)) for rule in found]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            ['{"deniedAccess":["read_file"],"parent":["HERE"]}', '{"deniedAccess":["write_file"],"parent":["HERE"]}'],
            [(".", "deny write_file, read_file")],
        ),
        (
            ['{"allowedAccess":["read_file"],"parent":["HERE"]}', '{"deniedAccess":["read_file"],"parent":["HERE"]}'],
            [(".", "allow read_file; deny read_file")],
        ),
        (
            [
                '{"deniedAccess":["ioctl"],"ioctlCommands":[257],"parent":["HERE"]}',
                '{"deniedAccess":["ioctl"],"ioctlCommands":[258],"parent":["HERE"]}',
            ],
            [(".", "deny ioctl (0x101)"), (".", "deny ioctl (0x102)")],
        ),
        (
            ['{"deniedAccess":["read_file"],"name":["*.a","*.b"],"parent":["HERE"]}'],
            [("**/*.a", "deny read_file"), ("**/*.b", "deny read_file")],
        ),
        (
            [
                '{"deniedAccess":["read_file"],"name":["*.a"],"parent":["HERE"]}',
                '{"deniedAccess":["write_file"],"name":["*.a"],"parent":["HERE"]}',
                '{"deniedAccess":["chmod"],"parent":["HERE"]}',
            ],
            [(".", "deny chmod"), ("**/*.a", "deny write_file, read_file")],
        ),
        (['{"deniedAccess":["read_file"],"parent":["HERE/not/there"]}'], [("not/there", "deny read_file")]),
    ],
)
def test_each_rule_is_shown_once_and_whole(said: list[str], expected: list[tuple[str, ...]], tmp_path: Path) -> None:
    """Also where several of one line are on one path; what is sealed for a denial is no rule."""
    assert rules_of(*said, tmp_path=tmp_path) == expected


def test_without_its_record_a_domain_is_listed_but_not_shown(live: engine.Engine) -> None:
    (record.RULESETS / "7.record").unlink()
    assert inventory.describe(live, SLOT).rules == 0
    with pytest.raises(errors.NotFoundError, match="the record of the domain x"):
        inventory.detail(live, SLOT, [SLOT])
