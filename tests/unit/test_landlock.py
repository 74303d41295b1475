# SPDX-License-Identifier: GPL-2.0-only
"""The landlock system calls and their launcher: each denial beside the same access without a ruleset."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from landlock_bpf import abi, errors, landlock, policy, policy_actions
from landlock_bpf.compare import programs


@pytest.fixture(autouse=True)
def _needs_landlock() -> None:
    if why := landlock.missing():
        pytest.skip(why)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    folder = tmp_path / "allowed"
    folder.mkdir()
    secret = folder / "secret"
    secret.write_text("hidden\n")
    return secret


def outcome(access: Callable[[], object]) -> int:
    """Try an access in a child and give its errno, or 0."""
    try:
        programs.in_child(access)
    except OSError as error:
        return error.errno
    return 0


def read_under(path: Path, *allowed: tuple[Path, abi.Action]) -> int:
    def access() -> None:
        with landlock.Ruleset(abi.Action.READ_FILE) as ruleset:
            for object_, actions in allowed:
                ruleset.allow(object_, actions)
            ruleset.restrict_self()
        path.read_bytes()

    return outcome(access)


def test_read_is_denied_without_a_rule_and_allowed_by_one(secret: Path) -> None:
    assert outcome(secret.read_bytes) == 0
    assert read_under(secret) == errno.EACCES
    assert read_under(secret, (secret.parent, abi.Action.READ_FILE)) == 0


def test_rights_of_directories_are_left_out_on_a_file(secret: Path) -> None:
    assert read_under(secret, (secret, abi.Action.READ_FILE | abi.Action.READ_DIR)) == 0


def test_action_that_is_not_handled_stays_untouched(secret: Path) -> None:
    def access() -> None:
        with landlock.Ruleset(abi.Action.READ_FILE) as ruleset:
            ruleset.restrict_self()
        secret.write_bytes(b"")

    assert outcome(access) == 0


def test_missing_path_is_an_error_that_names_it(tmp_path: Path) -> None:
    with landlock.Ruleset(abi.Action.READ_FILE) as ruleset, pytest.raises(errors.KernelError, match="no-such-file") as caught:
        ruleset.allow(tmp_path / "no-such-file", abi.Action.READ_FILE)
    assert caught.value.errno == errno.ENOENT


def test_unknown_right_is_refused_by_the_kernel() -> None:
    with pytest.raises(errors.KernelError) as caught:
        landlock.Ruleset(abi.Action(1 << 40))
    assert caught.value.errno == errno.EINVAL


def test_ruleset_closes_its_descriptor() -> None:
    with landlock.Ruleset(abi.Action.READ_FILE) as ruleset:
        os.fstat(ruleset.fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(ruleset.fd)


def launch(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "landlock_bpf.landlock", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_launcher_has_no_word_to_deny_beneath_an_allowed_tree(secret: Path) -> None:
    assert launch("--rox", "/", "--", "cat", secret).stdout == "hidden\n"
    assert "--deny" not in launch("--help").stdout


def test_launcher_denies_what_no_rule_allows(secret: Path) -> None:
    system = [word for path in ("/usr", "/lib", "/lib64", "/bin", "/etc") if Path(path).exists() for word in ("--rox", path)]
    denied = launch(*system, "--", "cat", secret)
    assert (denied.returncode, denied.stdout) == (1, "")
    assert "Permission denied" in denied.stderr
    assert launch(*system, "--ro", secret, "--", "cat", secret).stdout == "hidden\n"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        pytest.param(("--ro", "/no-such-path", "--", "true"), 125, id="a rule for a missing path"),
        pytest.param(("--rox", "/", "--", "/etc"), 126, id="not executable"),
        pytest.param(("--rox", "/", "--", "no-such-command"), 127, id="not found"),
        pytest.param(("--rox", "/"), 2, id="no command"),
    ],
)
def test_launcher_failures_have_the_statuses_of_env(words: tuple[str, ...], status: int) -> None:
    done = launch(*words)
    assert done.returncode == status
    assert "Traceback" not in done.stderr


def test_words_stand_for_landruns_rights() -> None:
    assert policy.LANDRUN["--rwx"] == policy_actions.CLASSIC
    assert policy.LANDRUN["--rwx"] & ~policy.LANDRUN["--rw"] == abi.Action.EXECUTE
    assert policy.LANDRUN["--ro"] == abi.Action.READ_FILE | abi.Action.READ_DIR


def bind_under(network: int) -> int:
    def access() -> None:
        with landlock.Ruleset(abi.Action.READ_FILE, network=network) as ruleset:
            ruleset.restrict_self()
        with socket.socket() as made:
            made.bind(("127.0.0.1", 0))

    return outcome(access)


def test_ports() -> None:
    rights = landlock.network_rights()
    if landlock.abi_version() < 4:
        assert rights == 0
        return
    assert bind_under(0) == 0
    assert bind_under(rights) == errno.EACCES


def signal_under(scoped: int) -> int:
    def access() -> None:
        with landlock.Ruleset(abi.Action.READ_FILE, scoped=scoped) as ruleset:
            ruleset.restrict_self()
        os.kill(os.getppid(), 0)

    return outcome(access)


def test_scopes() -> None:
    known = landlock.scopes()
    if landlock.abi_version() < 6:
        assert known == 0
        return
    assert signal_under(0) == 0
    assert signal_under(known) == errno.EPERM


def test_rights_have_the_kernels_numbers() -> None:
    # include/uapi/linux/landlock.h has them without a gap, in the order in which they came.
    for version, count in ((1, 13), (2, 14), (3, 15), (5, 16), (9, 17)):
        assert landlock.access_fs(policy_actions.rights_of(version)) == (1 << count) - 1


def test_a_ruleset_handles_every_right_that_the_kernel_has() -> None:
    with landlock.Ruleset(landlock.rights()) as ruleset:
        ruleset.allow("/", ruleset.handled)
