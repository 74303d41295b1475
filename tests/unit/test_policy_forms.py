# SPDX-License-Identifier: GPL-2.0-only
"""Policies in the forms of other Landlock tools: what they mean, and each mistake with its line, key and remedy."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from landlock_bpf import errors, policy, policy_actions, policy_forms, policy_setpriv, policy_source
from landlock_bpf.abi import Action

READ = Action.READ_FILE | Action.READ_DIR
RO = READ | Action.EXECUTE
LANDLOCK = policy_actions.LANDLOCK
NOTHING = Action(0)

OLD = """\
{"ruleset": {"handledAccessFS": ["execute", "read_file", "read_dir"]},
 "rules": {"pathBeneath": [
   {"allowedAccess": ["read_file", "read_dir"], "paths": ["/usr", "/etc"]},
   {"allowedAccess": ["execute"],
    "paths": ["/usr/bin"]}]},
 "disableBestEffort": true}
"""
NEW = (
    OLD.replace('"ruleset"', '"handledAccess"')
    .replace('"disableBestEffort": true', '"enableBestEffort": false')
    .replace('"rules": {', '"rules": {"networkPort": [], ')
)


def load(tmp_path: Path, text: str, name: str = "some", environ: dict[str, str] | None = None) -> policy.Policy:
    path = tmp_path / name
    path.write_text(textwrap.dedent(text))
    (loaded,) = policy.load(path, environ or {})
    return loaded


def said(loaded: policy.Policy) -> list[tuple[str, Action, Action]]:
    assert loaded.default == "deny"
    assert not any(rule.denied for rule in loaded.rules)
    return [(rule.path, rule.allowed, rule.explicit) for rule in loaded.rules]


@pytest.mark.parametrize("form", [OLD, NEW], ids=["1111", "1241"])
@pytest.mark.parametrize("around", ["{}", '{{"landlock": {}}}', '{{"ociVersion": "1.2.0", "process": {{"landlock": {}}}}}'])
def test_oci(tmp_path: Path, form: str, around: str) -> None:
    loaded = load(tmp_path, around.format(form))
    assert (loaded.name, loaded.handled) == ("some", RO)
    execute = EXECUTE
    assert said(loaded) == [("/usr", READ, READ), ("/etc", READ, READ), ("/usr/bin", execute, execute)]
    assert [rule.location.line for rule in loaded.rules] == [3, 3, 5]


def test_what_go_writes_for_nothing(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        '{"handledAccess": {"handledAccessFS": ["execute"], "handledAccessNetwork": null}, "rules": {"pathBeneath": null}}',
    )
    assert (loaded.handled, loaded.rules) == (EXECUTE, ())


EXECUTE = Action.EXECUTE
SETPRIV = [
    # As upstream: fs alone is all there is; a rule without rights allows what is handled; a path may have colons.
    ("--landlock-access fs", LANDLOCK, []),
    ("--landlock-access=fs:", LANDLOCK, []),
    ("--landlock-access fs:read-file,read-dir --landlock-access fs:execute", RO, []),
    ("--landlock-access fs --landlock-rule path-beneath:read-file,read-dir:/a", LANDLOCK, [("/a", READ, READ)]),
    ("--landlock-access fs:execute --landlock-rule=path-beneath::/a", EXECUTE, [("/a", EXECUTE, EXECUTE)]),
    ("--landlock-access fs --landlock-rule path-beneath:execute:/a:b", LANDLOCK, [("/a:b", EXECUTE, EXECUTE)]),
    # A file of words.
    ("setpriv --no-new-privs \\\n --landlock-access fs # all\n", LANDLOCK, []),
    ("# x\n--landlock-access 'fs'\r\n--landlock-rule \"path-beneath:execute:/a b\"", LANDLOCK, [("/a b", EXECUTE, EXECUTE)]),
    ("--landlock-access fs --landlock-rule path-beneath:execute:/a\\ b'$'c", LANDLOCK, [("/a b$c", EXECUTE, EXECUTE)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "handled", "rules"), SETPRIV)
def test_setpriv(tmp_path: Path, text: str, handled: Action, rules: list[tuple[str, Action, Action]]) -> None:
    loaded = load(tmp_path, text)
    assert (loaded.handled, said(loaded)) == (handled, rules)


def test_setpriv_counts_paths_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = policy_setpriv.from_options(["fs"], ["path-beneath:read-file:x", "path-beneath::."])
    assert [rule.path for rule in made.rules] == [f"{os.getcwd()}/x", os.getcwd()]
    assert [str(rule.location) for rule in made.rules] == ["command line:2", "command line:3"]


def test_the_sandboxers_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"LL_FS_RO": "/usr:lib", "LL_FS_RW": "/tmp", "LL_SCOPED": "", "LL_PATH_RO": "/", "LL_FORCE_LOG": "1", "HOME": "/"}
    (made,) = policy.load(Path("env:"), environ)
    assert (made.name, made.handled) == ("environment", LANDLOCK)
    assert said(made) == [("/usr", RO, NOTHING), (f"{os.getcwd()}/lib", RO, NOTHING), ("/tmp", LANDLOCK, NOTHING)]
    assert [str(rule.location) for rule in made.rules] == ["LL_FS_RO:1", "LL_FS_RO:2", "LL_FS_RW:1"]


def test_the_sandboxers_variables_in_a_file(tmp_path: Path) -> None:
    made = load(tmp_path, "# x\nexport LL_FS_RO=\"/usr:/a b\"\nLL_FS_RW=''\n")
    assert said(made) == [("/usr", RO, NOTHING), ("/a b", RO, NOTHING)]
    assert [rule.location.line for rule in made.rules] == [2, 2]
    assert said(load(tmp_path, "LL_FS_RO= LL_FS_RW=")) == []


def test_landruns_options_in_a_file(tmp_path: Path) -> None:
    made = load(tmp_path, "landrun --unrestricted-network --best-effort \\\n--rox /usr,/bin --rw=/tmp\n--ro '/a b'")
    assert made.handled == policy_actions.CLASSIC
    rw = READ | policy_actions.WRITE
    assert said(made) == [("/usr", RO, NOTHING), ("/bin", RO, NOTHING), ("/tmp", rw, NOTHING), ("/a b", READ, NOTHING)]
    assert [rule.location.line for rule in made.rules] == [2, 2, 2, 3]


@pytest.mark.parametrize("entry", ["{}", '{"paths": ["/usr"]}', '{"allowedAccess": ["execute"]}'])
def test_every_key_of_oci_is_optional(tmp_path: Path, entry: str) -> None:
    """By the words of pull request 1111; what is left out allows nothing."""
    loaded = load(tmp_path, OLD.replace('{"allowedAccess": ["execute"],\n    "paths": ["/usr/bin"]}', entry))
    assert {path: allowed for path, allowed, _ in said(loaded) if allowed} == {"/usr": READ, "/etc": READ}


@pytest.mark.parametrize("flag", ["", "=true", "=1", "=T", "=false --unrestricted-network", " --best-effort=false"])
def test_landruns_flags_may_be_set_as_in_go(tmp_path: Path, flag: str) -> None:
    assert said(load(tmp_path, f"landrun --unrestricted-network{flag} --ro /usr")) == [("/usr", READ, NOTHING)]


# The text, and of its one problem the line, the key, and words of the message and of the remedy.
MISTAKES = [
    # OCI.
    ('{"process": {\n"args": []}}', 1, "process.landlock", "is missing", "add it"),
    ('{"ociVersion": "1.2.0"}', 1, "process.landlock", "is missing", "add it"),
    ('{"process": {"landlock":\n[]}}', 1, "process.landlock", "not an object", "{ }"),
    ('{"rules": {}}', 1, "", "handles no right", "add handledAccess"),
    (OLD.replace("disableBestEffort", "enableBestEffort"), 6, "enableBestEffort", "and ruleset of 1111's", "one of"),
    (NEW.replace("enableBestEffort", "disableBestEffort"), 6, "disableBestEffort", "1111's form", "one of"),
    (OLD.replace("disableBestEffort", "bestEffort"), 6, "bestEffort", "not a key", "disableBestEffort"),
    (OLD.replace("true", "1"), 6, "disableBestEffort", "1 does not fit", "true or false"),
    (OLD.replace("paths", "path", 1), 3, "rules.pathBeneath[0].path", "not a key", "did you mean paths?"),
    (OLD.replace('["/usr", "/etc"]', '"/usr"'), 3, "rules.pathBeneath[0].paths", "not an array", "brackets"),
    (OLD.replace('"/etc"', "7"), 3, "rules.pathBeneath[0].paths[1]", "7 is not a string", "a string"),
    (OLD.replace('"/etc"', '"etc"'), 3, "rules.pathBeneath[0].paths[1]", "not an absolute path", "begin it"),
    (OLD.replace('["execute"]', '["exec"]'), 4, "rules.pathBeneath[1].allowedAccess[0]", "not a right", "mean execute?"),
    (OLD.replace('["execute"]', '["read"]'), 4, "rules.pathBeneath[1].allowedAccess[0]", "no right of Landlock's", "TOML"),
    (OLD.replace('["execute"]', '["truncate"]'), 5, "rules.pathBeneath[1].paths[0]", "names truncate,", "to ruleset.handled"),
    (NEW.replace('["execute"]', '["truncate"]'), 5, "rules.pathBeneath[1].paths[0]", "names tr", "handledAccess.handled"),
    (NEW.replace("[],", '[{"ports": [80]}],'), 2, "rules.networkPort", "not enforced", "Landlock itself"),
    (NEW.replace('"]}', '"], "handledAccessNetwork": ["bind"]}', 1), 1, "handledAccess.handledAccessNetwork", "not e", "rem"),
    # setpriv.
    ("--landlock-access fs:read_file", 1, "--landlock-access", "'read_file' is no right of Landlock's", "name"),
    ("--landlock-access fs:reed-file", 1, "--landlock-access", "not a right", "did you mean read-file?"),
    ("--landlock-access fs:execute,", 1, "--landlock-access", "'' is not a right", "known are execute"),
    ("--landlock-access\nnet", 2, "--landlock-access", "network is not ruled", "Landlock itself"),
    ("--landlock-access scope:signal", 1, "--landlock-access", "signals", "Landlock itself"),
    ("--landlock-access file", 1, "--landlock-access", "not an access", "write fs"),
    ("--landlock-access fs\n--landlock-rule net-port:bind-tcp:80", 2, "--landlock-rule", "network", "Landlock itself"),
    ("--landlock-access fs\n--landlock-rule path-beneath:/usr", 2, "--landlock-rule", "not a rule", "path-beneath:RIGHTS:PATH"),
    ("--landlock-access fs\n--landlock-rule path-beneath:execute:", 2, "--landlock-rule", "'' is not a path", "leave it out"),
    ("--landlock-rule path-beneath:execute:/usr", 1, "--landlock-rule", "no --landlock-access denies", "--landlock-access fs"),
    ("--landlock-access fs:refer\n--landlock-rule path-beneath:read-dir:/", 2, "--landlock-rule", "read-dir,", "fs:read-d"),
    ("--landlock-access fs:red-dir\n--landlock-rule path-beneath:read-dir:/", 1, "--landlock-access", "not a right", "read-d"),
    ("--landlock-access fs\n--landlock-rule", 2, "--landlock-rule", "has no value", "after the option"),
    ("--landlock-access fs\n--landlock-rules=x", 2, "", "not one of setpriv's", "did you mean --landlock-rule?"),
    ("setpriv --landlock-access fs bash", 1, "", "'bash' is not one", "leave it out"),
    ("--landlock-access 'fs", 1, "", "is not closed", "close it"),
    ("--landlock-access fs\n--landlock-access \"fs:$RIGHTS\"", 2, "", "for a shell", "single quotes"),
    ("--landlock-access fs\n\n;", 3, "", "';' is for a shell", "single quotes"),
    # landrun.
    ("--ro /usr", 0, "", "denies every port", "add --unrestricted-network"),
    ("--unrestricted-network\n--bind-tcp 80", 2, "--bind-tcp", "not enforced", "Landlock itself"),
    ("--unrestricted-network --connect-tcp=80", 1, "--connect-tcp", "not enforced", "Landlock itself"),
    ("--unrestricted-network=false\n--ro /usr", 0, "", "denies every port", "add --unrestricted-network"),
    ("--unrestricted-network --unrestricted-network=0", 0, "", "denies every port", "add --unrestricted-network"),
    ("--unrestricted-network\n--unrestricted-network=x", 2, "--unrestricted-network", "'x' is neither", "=true, or"),
    ("--unrestricted-network --best-effort=", 1, "--best-effort", "'' is neither true nor false", "alone"),
    ("--unrestricted-network landrun=x", 1, "", "not one of landrun's options", ""),
    ("--unrestricted-network --rx=/usr", 1, "", "not one of landrun's options", "did you mean --r"),
    ("--unrestricted-network --ro", 1, "--ro", "has no value", "after the option"),
    ("--unrestricted-network --ro /usr,", 1, "--ro", "'' is not a path", "leave it out"),
    # The sandboxer's variables.
    ("LL_FS_RO=/usr", 0, "LL_FS_RW", "is not set", "an empty one"),
    ("LL_FS_RO=/usr:\nLL_FS_RW=", 1, "LL_FS_RO", "path 2 of it is empty", "one colon"),
    ("LL_FS_RO=/usr\nLL_FS_RW=\nLL_TCP_BIND=", 3, "LL_TCP_BIND", "not enforced", "an empty list denies every port"),
    ("LL_FS_RO=/usr\nLL_FS_RW=\nLL_UDP_CONNECT=53", 3, "LL_UDP_CONNECT", "not enforced", "unset"),
    ("LL_FS_RO=/usr\nLL_FS_RW=\nLL_SCOPED=a:s", 3, "LL_SCOPED", "not enforced", "unset"),
    ("LL_FS_RO=/usr\nLL_FS_RW=\nLL_FS_RW=", 3, "LL_FS_RW", "set twice", "one of them"),
    ("LL_FS_RO=/usr LL_FS_RW= LL_FS_RX=", 1, "", "no variable of the sandboxer's", "did you mean LL_FS_RW?"),
    ("LL_FS_RO=/usr LL_FS_RW=\n./sandboxer", 2, "", "not an assignment", "leave it out"),
    ('LL_FS_RO="${PATH}:/usr"\nLL_FS_RW=', 1, "", "for a shell", "write out"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "key", "what", "remedy"), MISTAKES, ids=[f"{number}-{row[3]}" for number, row in enumerate(MISTAKES)]
)
def test_mistakes(tmp_path: Path, text: str, line: int, key: str, what: str, remedy: str) -> None:
    with pytest.raises(errors.PolicyError) as caught:
        load(tmp_path, text)
    problems = [problem for problem in caught.value.problems if problem.what != "is not set"] or caught.value.problems
    (problem,) = problems
    assert (problem.file, problem.line, problem.key) == (str(tmp_path / "some"), line, key)
    assert what in problem.what
    assert remedy in problem.remedy


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    with pytest.raises(errors.PolicyError) as caught:
        load(tmp_path, "--landlock-access fs:x\n--landlock-rule path-beneath:y,z:/\n--x\n--landlock-access net\n")
    assert [problem.line for problem in caught.value.problems] == [1, 2, 2, 3, 4]


def test_what_nothing_handles_is_told_with_wrong_words_of_rules(tmp_path: Path) -> None:
    rules = ("execute,x:/", "read-dir:/etc", ":/nosuch")
    with pytest.raises(policy.UnfitError) as caught:
        load(tmp_path, "\n".join(["--landlock-access fs:execute", *(f"--landlock-rule path-beneath:{rule}" for rule in rules)]))
    assert [(problem.line, problem.what.split()[-1]) for problem in caught.value.problems] == [(2, "files"), (3, "handle")]
    assert caught.value.rest
    assert [rule.path for rule in caught.value.rest.rules] == ["/", "/etc", "/nosuch"]
    with pytest.raises(errors.PolicyError) as caught:
        load(tmp_path, OLD.replace("read_file", "x").replace("true", '""').replace('"/usr/bin"', "{}"))
    assert [problem.line for problem in caught.value.problems] == [1, 3, 5, 6]


def test_the_environments_mistakes() -> None:
    with pytest.raises(errors.PolicyError) as caught:
        policy.load(Path("env:"), {"LL_FS_RO": "/a::/b", "LL_TCP_CONNECT": "443"})
    assert sorted(str(problem).partition(";")[0] for problem in caught.value.problems) == [
        "environment: LL_FS_RO: path 2 of it is empty",
        "environment: LL_FS_RW: is not set",
        "environment: LL_TCP_CONNECT: is not enforced: the network is not ruled yet",
    ]


def test_our_own_forms_are_still_ours(tmp_path: Path) -> None:
    """A file is another tool's only if it begins as that tool's files do."""
    rule = '[[path_beneath]]\nallowed_access = ["read"]\nparent = ["/LL_FS_RO=", "/--landlock-access"]\n'
    assert len(load(tmp_path, "# --landlock-access fs\n" + rule).rules) == 2
    document = {"ruleset": [{"handledAccessFs": ["read"]}], "pathBeneath": [{"allowedAccess": ["read"], "parent": ["/"]}]}
    assert load(tmp_path, json.dumps(document)).rules[0].allowed == READ
    with pytest.raises(errors.PolicyError, match="not an array of tables"):
        load(tmp_path, json.dumps(document | {"ruleset": {"handledAccessFs": ["read"]}}))


OPTIONS = ["--landlock-access", "--landlock-rule", "=", "fs", ":", "read-file", "path-beneath:", "/a", "setpriv", "net"]
VARIABLES = ["LL_FS_RO=", "LL_FS_RW=", "export"]
CHARACTERS = [" ", "\n", "'", '"', "\\", "#", "$", "\0", "\u2003"]
WORDS = st.sampled_from([*OPTIONS, *VARIABLES, *CHARACTERS])


@hypothesis.given(st.lists(WORDS, max_size=12).map("".join), st.sampled_from(["--landlock-access fs ", "LL_FS_RO= LL_FS_RW= "]))
def test_random_words(tmp_path_factory: pytest.TempPathFactory, text: str, start: str) -> None:
    path = tmp_path_factory.getbasetemp() / "words"
    path.write_text(start + text)
    try:
        made = policy_forms.load(path, {})
    except errors.PolicyError as error:
        assert error.problems
        assert all(problem.what and problem.remedy for problem in error.problems)
    else:
        assert all(rule.path.startswith("/") for rule in made.rules)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(["execute", "read_file", "/a", "a", ""])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["handledAccess", "ruleset", "handledAccessFS", "rules", "pathBeneath", "allowedAccess", "paths", "networkPort"]
            ),
            inner,
        ),
    ),
    max_leaves=12,
)


@hypothesis.given(VALUES)
def test_random_objects(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.getbasetemp() / "objects.json"
    path.write_text(json.dumps({"landlock": value}))
    try:
        assert policy_forms.load(path, {}).handled
    except errors.PolicyError as error:
        assert all(problem.line and problem.what and problem.remedy for problem in error.problems)


def test_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that /dev/stdin and a shell's <(...) work."""
    times = []
    read_text = policy_source.read_text
    monkeypatch.setattr(policy_source, "read_text", lambda path: times.append(path) or read_text(path))
    for text in (
        NEW,
        "--landlock-access fs",
        "LL_FS_RO= LL_FS_RW=",
        '[[path_beneath]]\nallowed_access = ["read"]\nparent = ["/"]',
    ):
        load(tmp_path, text)
    assert len(times) == 4
