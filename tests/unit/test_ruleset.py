# SPDX-License-Identifier: GPL-2.0-only
"""Layers merged into what the engine has, and their records."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from landlock_bpf import abi, errors, identity, merging, record, ruleset


def layer(*entries: ruleset.Entry, default_allow: int = 0) -> ruleset.Layer:
    return ruleset.Layer("d", 1, "p", "p.toml", 0b111, default_allow, len(entries), False, (), entries)


def entry(number: int, allowed: int, denied: int = 0, sealed: bool = False) -> ruleset.Entry:
    return ruleset.Entry(identity.OBJECT.pack(number, 0, 8, 0), allowed, denied, sealed, "/x", "p.toml", 1)


def test_layers_are_merged_into_one_rule_an_object() -> None:
    merged = merging.merge((layer(entry(1, 1), entry(1, 2, 4, True), entry(2, 1)), layer(entry(1, 4))))
    rules = {identity.OBJECT.unpack(key)[0]: abi.Rule.from_buffer_copy(rule) for key, rule in zip(merged.objects, merged.rules)}
    assert set(rules) == {1, 2}
    assert (list(rules[1].allowed)[:3], list(rules[1].denied)[:3], rules[1].sealed) == ([3, 4, 0], [4, 0, 0], 1)
    assert (list(rules[2].allowed)[:3], rules[2].sealed) == ([1, 0, 0], 0)


def test_the_kernels_ruleset_of_merged_layers() -> None:
    made = merging.record((layer(), layer(default_allow=0b101)), 5)
    assert (made.serial, made.layers, made.handled_any) == (5, 2, 0b111)
    assert list(made.default_allow[:3]) == [0, 0b101, 0]


def test_the_filter_bit_is_that_of_the_engine() -> None:
    # bpf/walk.h: ((ino + ruleset * first) * second) >> (64 - bits), in 64 bits.
    assert ruleset.filter_bits((0, 1), 0) == [0, 0xD6E8FEB86659FD93 >> (64 - abi.Limit.FILTER_BITS)]
    (last,) = ruleset.filter_bits([2**64 - 1], 2047)
    assert 0 <= last < 1 << abi.Limit.FILTER_BITS


def test_structs_are_as_the_engine_has_them() -> None:
    named = abi.Named(3, 5, abi.Object(1, 2, 3, 4), abi.Object(5, 6, 7, 8), abi.Object(9, 10, 11, 12), 13, 1, 1)
    (found,) = identity.NAMED.iter_unpack(bytes(named))
    assert identity.Named._make(found) == (3, 5, bytes(named.object), bytes(named.beneath), bytes(named.upper), 13, 1, 1)
    assert identity.OBJECT.unpack(bytes(named.object)) == (1, 2, 3, 4)


def test_a_pattern_beneath_a_tree_as_people_see_it() -> None:
    pattern = ruleset.Pattern("*.pem", 1, "p.toml", 1)
    assert [ruleset.Tree(b"", 0, path).shown(pattern) for path in ("/a", "/")] == ["/a/**/*.pem", "/**/*.pem"]


def test_objects_in_one_block() -> None:
    said = [identity.OBJECT.pack(number, 2, 3, 4) for number in (7, 8, 2**64 - 1)]
    objects = identity.Objects.of(said)
    assert list(objects) == said and len(objects) == 3 and objects[1] == said[1] and objects[1:] == tuple(said[1:])
    assert objects == identity.Objects.of(iter(said)) and identity.Objects.of(objects) is objects
    assert objects.inos == [7, 8, 2**64 - 1]
    none = identity.Objects.of(())
    assert not none and none.inos == []


def test_own_layers_are_the_last_made_at_once() -> None:
    def made(owner: str, serial: int) -> ruleset.Layer:
        return ruleset.Layer(owner, serial, "p", "p.toml", 1, 0, 0, False, ())

    layers = made("a", 1), made("b", 2), made("a", 3), made("a", 3)
    assert ruleset.own(layers) == layers[2:]


def test_a_record_reads_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "RUN", tmp_path)
    monkeypatch.setattr(record, "RULESETS", tmp_path / "rulesets")
    monkeypatch.setattr(record, "PAST", tmp_path / "past")
    written = record.Record(7, 3, "d", "", (layer(entry(1, 1, 2, True)), layer()))
    with record.locked():
        record.write(written)
        assert record.read(7) == written and record.serials() == [7]
        record.remove(7)
        assert record.serials() == [] and record.read(7) == written


def test_what_a_killed_writer_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "RULESETS", tmp_path)
    (tmp_path / "9.part").write_text("{")
    assert record.serials() == []
    assert not any(tmp_path.iterdir())


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the records; that of past ones is beside it."""
    monkeypatch.setattr(record, "RULESETS", tmp_path / "rulesets")
    monkeypatch.setattr(record, "PAST", tmp_path / "past")
    record.RULESETS.mkdir()
    return record.RULESETS


def test_a_file_whose_name_is_none_of_a_record_is_removed(records: Path) -> None:
    for name in ("x.record", ".record", "07.record", "-7.record", "\u0667.record", "7.record.part"):
        (records / name).touch()
    (records / "folder").mkdir()
    (records / "7.record").touch()
    assert record.serials() == [7]
    assert sorted(os.listdir(records)) == ["7.record", "folder"]


def test_who_names_the_domains_disturbs_no_writer(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is done without the lock, while a record may be being written."""
    for serial, name in enumerate(("gone", "here", "new"), 1):
        record.write(record.Record(serial, serial, name, "", (layer(),)))
    record.remove(1)
    (record.PAST / "9.part").touch()
    named: list[set[str]] = []
    rename = os.rename
    monkeypatch.setattr(os, "rename", lambda *paths: (named.append(record.domains()), rename(*paths)))
    record.write(record.Record(4, 4, "being written", "", (layer(),)))
    assert named == [{"gone", "here", "new"}]
    assert record.domains() == {"gone", "here", "new", "being written"}
    assert (record.PAST / "9.part").exists()


def test_without_records_there_are_no_domains(records: Path) -> None:
    records.rmdir()
    assert record.domains() == set()


def test_a_record_that_cannot_be_read_is_as_one_removed(records: Path) -> None:
    record.write(record.Record(7, 3, "d", "", (layer(entry(1, 1)),)))
    path = records / "7.record"
    good = path.read_bytes()
    head, _, data = good.partition(b"\n")
    changed = (
        head.replace(b'"objects"', b'"others"'),
        head.replace(b'"domain"', b'"another"'),
        head.replace(b'"long"', b'"short"'),
    )
    assert data and head not in changed
    heads = (b"", b"{", b"\xff", b"[]", b"7", b'{"layers": 7}', b'{"layers": [7]}', b"[" * 10**6, head[:-9], *changed)
    for text in (*(each + b"\n" + data for each in heads), head, good[:-1]):
        path.write_bytes(text)
        assert record.read(7) is None, text[:80]
    path.write_bytes(good)
    assert record.read(7)


def test_what_is_no_regular_file_is_no_record(records: Path) -> None:
    """A pipe would have its reader wait."""
    path = records / "7.record"
    for make in (os.mkfifo, os.mkdir):
        make(path)
        assert record.serials() == [7]
        assert record.read(7) is None
        record.remove(7)
        assert not path.exists()
        (record.PAST / path.name).rename(records.parent / make.__name__)


def test_of_past_records_the_newest_are_kept(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_PAST_KEPT", 4)
    record.PAST.mkdir()
    for name in ("x.record", "3.record", "20.record", "100.record"):
        (record.PAST / name).touch()
    (records / "101.record").touch()
    record.remove(101)
    assert sorted(os.listdir(record.PAST)) == ["100.record", "101.record", "x.record"]


def test_a_second_reader_of_events_is_told_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "RUN", tmp_path)
    with record.alone("events", "reads events"):
        with pytest.raises(errors.BusyError, match=f"process {os.getpid()} reads events already"):
            with record.alone("events", "reads events"):
                pytest.fail("two at once")


def programs(slot: int, attach: str = ruleset.ENGINE, serial: int = 0) -> ruleset.Layer:
    rule = ruleset.RuleProgram("r.c", 3, "decide", int(abi.Event.FS), 1)
    mark = ruleset.Mark(identity.OBJECT.pack(7, 0, 8, 0), 0, 2, "/x")
    views = (ruleset.View("trees", 4),) if serial else ()
    marks = (mark,) if serial else ()
    made = ruleset.Programs(slot, 0b110, attach, "why", "libbpf", (rule,), views, serial, marks)
    return ruleset.of_programs("d", 1, made)


def test_rule_programs_are_asked_the_newest_first_and_say_their_layer() -> None:
    layers = (programs(5, serial=9), layer(), programs(6, ruleset.LSM_CGROUP), programs(7))
    made = merging.record(layers, 5)
    told = [(each.slot, each.hooks, each.views, each.layer) for each in made.programs if each.slot]
    # What BPF_LSM_CGROUP asks, the engine does not; its slot is there for ptrace.
    assert told == [(7, 0b110, 0, 3), (6, 0, 0, 2), (5, 0b110, 9, 0)]
    assert (made.hooks_any, made.handled_any) == (0b110, 0b111)
    assert list(ruleset.places_of(made)) == [*ruleset.places(layers)][::-1]


def test_a_record_of_rule_programs_reads_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "RULESETS", tmp_path)
    written = record.Record(7, 3, "d", "", (layer(entry(1, 1)), programs(4, serial=9)))
    record.write(written)
    assert record.read(7) == written
    head = record.read(7, whole=False)
    assert head and head.layers[1].programs
    assert (head.layers[1].programs.views, head.layers[1].programs.marks) == ((ruleset.View("trees", 4),), ())
