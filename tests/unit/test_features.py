# SPDX-License-Identifier: GPL-2.0-only
"""Probes: each gives a row with a remedy, and none depends on who asks."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from landlock_bpf import errors, features, hooks


def test_every_row_says_how_to_mend_it() -> None:
    rows = features.probe()
    assert len({row.name for row in rows}) == len(rows) == len(features._PROBES)
    for row in rows:
        assert row.state in ("yes", "no", "unknown")
        assert row.detail
        assert bool(row.remedy) == (row.state != "yes"), row


@pytest.fixture
def lsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "lsm"
    monkeypatch.setattr(features, "LSM_LIST", path)
    monkeypatch.setattr(features, "GRUB", tmp_path / "grub")
    return path


def test_lsm_line_is_built_from_what_is_active(lsm: Path) -> None:
    lsm.write_text("lockdown,capability,landlock,yama,apparmor")
    state, detail, remedy = features._bpf_lsm()
    assert (state, detail) == ("no", "active: lockdown,capability,landlock,yama,apparmor")
    assert "boot with lsm=lockdown,landlock,yama,apparmor,bpf " in remedy
    assert "update-grub" not in remedy
    features.GRUB.touch()
    assert "update-grub" in features._bpf_lsm()[2]


def test_lsm_is_active(lsm: Path) -> None:
    lsm.write_text("capability,bpf")
    assert features._bpf_lsm() == ("yes", "capability,bpf", "")


def test_lsm_is_unknown_without_securityfs(lsm: Path) -> None:
    state, _detail, remedy = features._bpf_lsm()
    assert state == "unknown" and remedy.startswith("mount -t securityfs")


@pytest.mark.parametrize(
    ("active", "words"),
    [
        ("lockdown,capability,bpf", "tomoyo is not among the LSMs of this kernel; boot with lsm=lockdown,bpf,tomoyo "),
        ("capability,tomoyo,bpf", None),
        (None, " is not there; mount -t securityfs"),
    ],
)
def test_missing_lsm(lsm: Path, active: str | None, words: str | None) -> None:
    if active is not None:
        lsm.write_text(f"{active}\n")
    assert features.lsms() == (tuple(active.split(",")) if active else None)
    found = features.missing_lsm("tomoyo")
    assert words in found if words and found else found is words


def test_not_mounted() -> None:
    assert features._mounted("no_such_filesystem", "mend") == ("no", "not mounted", "mend")


@pytest.mark.parametrize(
    ("raised", "uid", "state"),
    [
        (errors.UnsupportedError("no clang", "install it"), 1000, "no"),
        (errors.KernelError("load", "it", errno.EPERM), 1000, "unknown"),
        (errors.KernelError("load", "it", errno.EPERM), 0, "no"),
        (errors.KernelError("load", "it", errno.EINVAL), 0, "unknown"),
        (PermissionError(errno.EACCES, "Permission denied", "/proc/secret"), 1000, "unknown"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/proc/absent"), 0, "unknown"),
    ],
)
def test_errors_become_answers(monkeypatch: pytest.MonkeyPatch, raised: Exception, uid: int, state: str) -> None:
    def question() -> features.Answer:
        raise raised

    monkeypatch.setattr("os.geteuid", lambda: uid)
    answer = features._ask(question)
    assert answer[0] == state and answer[1] and answer[2]


def test_hooks_of_another_shape_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Vmlinux:
        def __enter__(self) -> Vmlinux:
            return self

        def __exit__(self, *exc: object) -> None: ...

        def args(self, kind: str, hook: str) -> int | None:
            return {"file_open": 7, "path_unlink": None}.get(hook, len(args[hook]))

    args = {row.name: row.args for row in hooks.HOOKS}
    monkeypatch.setattr("landlock_bpf.btf.Btf.vmlinux", Vmlinux)
    state, detail, _remedy = features._hooks()
    assert state == "no"
    assert detail == "not as we know them: file_open (7 arguments), path_unlink (absent)"
