# SPDX-License-Identifier: GPL-2.0-only
"""One rule more or less in a layer: all others stay as they were resolved."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st
from test_resolution import identify, object_of

from landlock_bpf import (
    action_table,
    amendment,
    covering,
    errors,
    hardlinks,
    identity,
    merging,
    policy,
    resolution,
    ruleset,
    ways,
)
from landlock_bpf.abi import Action, Limit

NONE = Action(0)
READ, WRITE, CHMOD = Action.READ_FILE, Action.WRITE_FILE, Action.CHMOD
HERE, THERE, DIRECTORY = (identity.OBJECT.pack(number, 0, device, 1) for number, device in ((5, 8), (6, 9), (7, 8)))


def entry(object: bytes, path: str, line: int, *, allowed: Action = READ, denied: Action | None = None) -> ruleset.Entry:
    if denied is None:
        return ruleset.Entry(object, int(allowed), 0, False, path, "p.toml", line)
    return ruleset.Entry(object, 0, int(denied), True, path, "p.toml", line)


def layer(*entries: ruleset.Entry, owner: str = "d", made: int = 2, handled: Action = READ | WRITE) -> ruleset.Layer:
    rules = {(each.path, each.line) for each in entries}
    denies = any(each.denied for each in entries)
    made_of = ruleset.Layer(owner, made, "p", "p.toml", int(handled), 0, len(rules), denies, (), entries)
    return dataclasses.replace(made_of, spread=amendment._spread(made_of))


BOTH = layer(entry(HERE, "/a", 3), entry(THERE, "/b", 4, denied=READ), entry(DIRECTORY, "/b", 4, allowed=Action(0)))


def wanted(allowed: Action, denied: Action) -> policy.Policy:
    rule = policy.Rule("/c", allowed, denied, policy.Location("words", 1))
    return policy.Policy("w", allowed | denied, "deny", (rule,), "words")


def test_what_is_added_is_cut_to_what_has_a_meaning() -> None:
    made = amendment.fitting(BOTH, wanted(READ | CHMOD, Action(0)))
    assert [(rule.allowed, str(rule.location)) for rule in made.rules] == [(READ, "rule add:1")]
    with pytest.raises(errors.NotFoundError, match="does not rule on chmod, so it is allowed on /c already"):
        amendment.fitting(BOTH, wanted(CHMOD, Action(0)))
    added = dataclasses.replace(BOTH, entries=(*BOTH.entries, entry(HERE, "/c", 7)._replace(file=amendment.SOURCE)))
    assert str(amendment.fitting(added, wanted(READ, Action(0))).rules[0].location) == "rule add:8"


def test_added_beside_the_others() -> None:
    more = layer(entry(HERE, "/c", 1, denied=CHMOD), handled=CHMOD | Action.REFER | action_table.WITHHELD)
    made = amendment.add(BOTH, more)
    assert made.entries == (*BOTH.entries, *more.entries)
    assert made.rules == 3 and made.denies
    assert made.handled == BOTH.handled | more.handled
    # What only the new rule speaks of is as it was everywhere else; what is withheld stays so.
    assert made.default_allow == int(CHMOD | Action.REFER)
    assert (made.owner, made.made, made.policy) == (BOTH.owner, BOTH.made, BOTH.policy)


def test_patterns_keep_their_trees() -> None:
    one, two = (ruleset.Pattern(text, int(READ), "p.toml", line) for line, text in ((5, "*.pem"), (6, ".env")))
    first = dataclasses.replace(BOTH, rules=3, patterns=(one,), trees=(ruleset.Tree(HERE, 0, "/t"),))
    second = dataclasses.replace(layer(), rules=1, denies=True, patterns=(two,), trees=(ruleset.Tree(THERE, 0, "/u"),))
    made = amendment.add(first, second)
    assert [tree.shown(made.patterns[tree.pattern]) for tree in made.trees] == ["/t/**/*.pem", "/u/**/.env"]
    less = amendment.remove(made, "/t/**/*.pem")
    assert less and [tree.shown(less.patterns[tree.pattern]) for tree in less.trees] == ["/u/**/.env"]
    assert less.rules == made.rules - 1


def test_removed_with_its_way() -> None:
    less = amendment.remove(BOTH, "/b")
    assert less and less.entries == BOTH.entries[:1]
    assert (less.rules, less.denies, less.spread) == (1, False, ((HERE, 1),))
    assert amendment.remove(BOTH, "/nothing") is None
    missing = dataclasses.replace(BOTH, names=(ruleset.Name(HERE, 1, 1, int(READ), "/a/x", "p.toml", 9),))
    less = amendment.remove(missing, "/a/x")
    assert less and not less.names and less.entries == BOTH.entries


def resolved(tmp_path: Path, *said: tuple[str, Action, Action, tuple[str, ...]]) -> ruleset.Layer:
    """Resolve rules beneath a folder; all stand on one line."""
    rules = tuple(
        policy.Rule(str(tmp_path / path), allowed, denied, policy.Location("p.json", 1), names=names)
        for path, allowed, denied, names in said
    )
    with ways.Filesystems() as filesystems:
        (made,) = resolution.resolve([policy.Policy("p", READ | WRITE, "allow", rules, "p")], "d", 2, identify, filesystems)
    return made


def test_a_rule_ends_with_its_last_pattern(tmp_path: Path) -> None:
    """Only then is it counted as gone, and what it sealed is free."""
    made = resolved(tmp_path, (".", NONE, READ, ("*.a", "*.b", "*.c")))
    assert made.rules == 1 and len(made.patterns) == 3
    less = amendment.remove(made, f"{tmp_path}/**/*.b")
    assert less and (less.rules, less.denies, less.entries, less.spread) == (1, True, made.entries, made.spread)
    assert [tree.shown(less.patterns[tree.pattern]) for tree in less.trees] == [f"{tmp_path}/**/*.a", f"{tmp_path}/**/*.c"]
    less = amendment.remove(less, f"{tmp_path}/**/*.a")
    assert less and (less.rules, len(less.patterns), less.entries) == (1, 1, made.entries)
    less = amendment.remove(less, f"{tmp_path}/**/*.c")
    assert less and (less.rules, less.denies, less.spread) == (0, False, ())
    assert not (less.entries or less.patterns or less.trees)
    whole = amendment.remove(made, str(tmp_path))
    assert whole and (whole.rules, whole.patterns, whole.trees, whole.entries) == (0, (), (), ())


def test_patterns_come_and_go_without_end(tmp_path: Path) -> None:
    """Those without trees would count against the limit."""
    (tmp_path / "kept").mkdir()
    made = resolved(tmp_path, ("kept", NONE, READ, ("*.k",)))
    more = resolved(tmp_path, (".", NONE, READ, ("*.a",)))
    for _ in range(int(Limit.PATTERNS) + 1):
        added = amendment.add(made, more)
        merging.check([added])
        less = amendment.remove(added, f"{tmp_path}/**/*.a")
        # They stand on one line here, but not on one path.
        assert less and (less.rules, less.entries, less.trees) == (1, made.entries, made.trees)
        made = less


def test_several_rules_of_one_line_and_path(tmp_path: Path) -> None:
    """Each is counted, and what one of them seals stays while another one is there."""
    made = resolved(tmp_path, (".", NONE, READ, ()), (".", READ, WRITE, ()), (".", NONE, READ, ("*.a",)))
    less = amendment.remove(made, f"{tmp_path}/**/*.a")
    assert less and (less.rules, less.entries) == (2, made.entries)
    less = amendment.remove(less, str(tmp_path))
    assert less and (less.rules, less.entries) == (0, ())
    assert not amendment.remove(less, str(tmp_path))


RULES = st.lists(
    st.tuples(st.sampled_from([".", "a", "a/b", "c", "a/x"]), st.sampled_from([NONE, READ, READ | WRITE]), st.booleans()),
    min_size=1,
    max_size=4,
    unique_by=lambda rule: rule[0],
)


def denials_of(layer: ruleset.Layer) -> dict[bytes, int]:
    """Unite what is denied on each object."""
    found: dict[bytes, int] = {}
    for each in layer.entries:
        found[each.object] = found.get(each.object, 0) | each.denied
    return {object: mask for object, mask in found.items() if mask}


@hypothesis.given(
    rules=RULES, names=st.lists(st.sampled_from(["a/x", "a/b/x", "c/x", "x"]), min_size=2, unique=True), data=st.data()
)
def test_other_links_are_covered_by_all_rules(
    rules: list[tuple[str, Action, bool]], names: list[str], data: st.DataObject
) -> None:
    """Whichever rule comes or goes, files with several names are denied what they are when all is resolved at once."""
    said = [(path, NONE if denies else mask, mask if denies else NONE, ()) for path, mask, denies in rules if mask]
    hypothesis.assume(said)
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        (top / "a/b").mkdir(parents=True)
        (top / "c").mkdir()
        (top / names[0]).write_text("")
        for name in names[1:]:
            os.link(top / names[0], top / name)
        said = [each for each in said if (top / each[0]).exists()]
        hypothesis.assume(said)
        goes = data.draw(st.sampled_from(said))
        rest = [each for each in said if each is not goes]

        def covered(layer: ruleset.Layer | None) -> ruleset.Layer:
            assert layer
            return cover(layer)

        whole = resolved(top, *said)
        assert denials_of(covered(amendment.remove(whole, str(top / goes[0])))) == denials_of(resolved(top, *rest))
        assert denials_of(covered(amendment.add(resolved(top, *rest), resolved(top, goes)))) == denials_of(whole)


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A folder whose file has another name, with a folder and a file of it that has another name, too."""
    (tmp_path / "secret/pub").mkdir(parents=True)
    for name in ("file", "pub/file"):
        (tmp_path / "secret" / name).write_text("")
        os.link(tmp_path / "secret" / name, tmp_path / f"other-{name.replace('/', '-')}")
    return tmp_path


def cover(layer: ruleset.Layer) -> ruleset.Layer:
    with ways.Filesystems() as filesystems:
        return covering.cover(layer, identify, filesystems)


def test_what_is_elsewhere_now_keeps_what_is_denied(linked: Path) -> None:
    """Nothing is denied by what is in its place."""
    made = resolved(linked, ("secret", NONE, READ, ()))
    (linked / "secret").rename(linked / "moved")
    for there in (False, True):
        if there:
            (linked / "secret").mkdir()
            (linked / "secret/new").write_text("")
            os.link(linked / "secret/new", linked / "other-new")
        covered = cover(made)
        assert denials_of(covered) == denials_of(made)
        assert covered.uncovered == (
            f"{linked}/secret is gone or leads elsewhere: other links and mounts are looked for without that rule",
        )


def test_a_permission_that_is_elsewhere_now_frees_nothing(linked: Path) -> None:
    made = resolved(linked, ("secret", NONE, READ, ()), ("secret/pub", READ, NONE, ()))
    (linked / "secret/dir").mkdir()
    (linked / "secret/file").rename(linked / "secret/dir/file")
    (linked / "secret/pub").rename(linked / "secret/away")
    (linked / "secret/dir").rename(linked / "secret/pub")
    assert denials_of(made).items() <= denials_of(cover(made)).items()


def test_what_is_not_met_again_stays_denied(linked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can fill a directory, or hide one, would free the rest by that."""
    made = resolved(linked, ("secret", NONE, READ, ()))
    monkeypatch.setattr(hardlinks, "MOST_ENTRIES", 0)
    covered = cover(made)
    assert denials_of(covered) == denials_of(made)
    assert "more than 0 files are beneath" in covered.uncovered[0]


def test_what_is_met_and_not_denied_is_free(linked: Path) -> None:
    """Its other name is gone meanwhile, and a nearer rule allows it."""
    made = resolved(linked, ("secret", NONE, READ, ()))
    (linked / "other-pub-file").unlink()
    more = resolved(linked, ("secret/pub", READ, NONE, ()))
    kept = {object_of(linked / name) for name in ("secret", "secret/file")}
    assert denials_of(cover(amendment.add(made, more))) == dict.fromkeys(kept, int(READ))


def test_a_warning_goes_with_its_rule(tmp_path: Path) -> None:
    made = resolved(tmp_path, ("*.pem", NONE, READ, ()), ("other", NONE, READ, ()))
    assert len(made.notes) == 1
    kept, gone = (amendment.remove(made, str(tmp_path / name)) for name in ("other", "*.pem"))
    assert kept and gone and (kept.notes, gone.notes) == (made.notes, ())


def test_which_layer() -> None:
    outer = layer(owner="around", made=1)
    programs = dataclasses.replace(layer(), programs=ruleset.Programs(1, 0, ruleset.ENGINE, "", "libbpf", ()))
    assert amendment.choose([outer, BOTH], None) == 1
    assert amendment.choose([outer, BOTH, programs], None) == 1
    assert amendment.choose([outer, BOTH, BOTH], 2) == 2
    for layers, number, words in (
        ([outer, BOTH, BOTH], None, "several policies; --layer takes one of 1, 2"),
        ([outer, BOTH], 0, "no policy of its own as layer 0"),
        ([outer, programs], None, "rule programs alone"),
    ):
        with pytest.raises(errors.NotFoundError, match=words):
            amendment.choose(layers, number)
