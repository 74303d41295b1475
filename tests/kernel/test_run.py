# SPDX-License-Identifier: GPL-2.0-only
"""`landlock-bpf run` and the rest of the command line, as a person at a shell has it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import deadline
import operation
import pytest
from member import Member

from landlock_bpf import controller

Listed = Callable[[], list[str]]
COMMAND = (sys.executable, "-m", "landlock_bpf")
EVERYTHING = ("--rwx", "/")


def start(*words: object, **options: object) -> subprocess.Popen[str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.Popen([*COMMAND, *map(str, words)], **pipes)


def run(*words: object, **options: object) -> tuple[int, str, str]:
    """Run a subcommand to its end; the exit status and both outputs."""
    with start(*words, **options) as process:
        out, err = process.communicate(timeout=deadline.SECONDS)
    return process.returncode, out, err


@pytest.fixture
def secret(tree: Path) -> Path:
    path = tree / "secret"
    path.mkdir()
    (path / "file").write_text("hidden\n")
    return path


STATUSES = {
    "exit 7": (("sh", "-c", "exit 7"), 7),
    "not found": (("no-such-program",), 127),
    "not executable": (("/etc/passwd",), 126),
    "killed": (("sh", "-c", "kill -TERM $$"), -signal.SIGTERM),
}


@pytest.mark.parametrize("name", STATUSES)
def test_exit_status(name: str, listed: Listed) -> None:
    command, expected = STATUSES[name]
    status, _, err = run("run", *EVERYTHING, "--", *command)
    assert status == expected, err
    assert not listed()


def test_own_failures(tree: Path, listed: Listed) -> None:
    status, _, err = run("run", "--ro", tree / "missing", "--", "true")
    assert status == 125
    assert f"{tree / 'missing'} does not exist" in err
    assert "Traceback" not in err
    assert run("run", "--", "true")[0] == 2
    assert not listed()


def test_denied_from_the_first_instruction(secret: Path) -> None:
    """The program itself is denied, and so is what it opens first; beside, all is as usual."""
    assert run("run", "--deny", f"{secret}:read_file", "--", "cat", secret / "file")[:2] == (1, "")
    assert run("run", "--deny", f"{secret}:write_file", "--", "cat", secret / "file")[:2] == (0, "hidden\n")
    status, _, err = run("run", "--deny", f"{Path('/bin/busybox').resolve()}:execute", "--", "/bin/busybox", "true")
    assert status == 126
    assert "Permission denied" in err


def test_no_new_privs_and_descriptors(tree: Path) -> None:
    """The command has no_new_privs, and of the descriptors only the first three; all with --keep-fds."""
    (tree / "file").write_text("")
    script = "grep NoNewPrivs /proc/self/status; echo /proc/self/fd/*"
    with (tree / "file").open() as opened:
        number = opened.fileno()
        status, out, err = run("run", *EVERYTHING, "--", "sh", "-c", script, pass_fds=[number])
        kept = run("run", *EVERYTHING, "--keep-fds", "--", "sh", "-c", f"readlink /proc/self/fd/{number}", pass_fds=[number])
    assert status == 0, err
    privileges, descriptors = out.splitlines()
    assert privileges.split() == ["NoNewPrivs:", "1"]
    # The shell opens the folder to list it.
    assert descriptors.split()[:3] == [f"/proc/self/fd/{each}" for each in range(3)]
    assert f"/proc/self/fd/{number}" not in descriptors.split()[4:]
    assert len(descriptors.split()) <= 4
    assert kept[:2] == (0, f"{tree / 'file'}\n")


INHERIT = """
import os, sys, threading
secret = sys.argv[1]
def try_it(who):
    try:
        open(secret).close()
        print(who, "read it", flush=True)
    except PermissionError:
        print(who, "denied", flush=True)
try_it("self")
thread = threading.Thread(target=try_it, args=("thread",)); thread.start(); thread.join()
pid = os.fork()
if pid == 0:
    os.setsid()
    if os.fork() == 0:
        try_it("grandchild")
        os.execv("/bin/sh", ["sh", "-c", f"cat {secret} 2>/dev/null && echo exec read it || echo exec denied"])
    os._exit(0)
os.wait()
open(sys.argv[2] + "/cgroup.procs", "w").write("0")
try_it("moved")
"""


def test_inherited_by_all_children(secret: Path, cgroup: Path) -> None:
    """By threads, forks and what they execute; and kept in another control group."""
    words = ("--", sys.executable, "-c", INHERIT, secret / "file", cgroup)
    status, out, err = run("run", "--deny", f"{secret}:read_file", *words)
    assert status == 0, err
    deadline.until(lambda: not (cgroup / "cgroup.procs").read_text(), "the children ended")
    said = set(out.splitlines())
    assert said == {f"{who} denied" for who in ("self", "thread", "grandchild", "exec", "moved")}


def test_signal_is_passed_on(tree: Path) -> None:
    script = f"trap 'echo got it; exit 9' TERM; touch {tree}/ready; while :; do sleep 0.1; done"
    with start("run", *EVERYTHING, "--", "sh", "-c", script) as process:
        deadline.until((tree / "ready").exists, "the command runs")
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=deadline.SECONDS)
    assert (process.returncode, out) == (9, "got it\n")


def test_runner_killed(secret: Path, tree: Path, live: controller.Controller, listed: Listed) -> None:
    """What it confined stays so; the domain ends with the last of them, at the next command."""
    wait = f"touch {tree}/ready; while [ ! -e {tree}/go ]; do sleep 0.1; done"
    script = f"{wait}; cat {secret}/file >{tree}/out 2>&1; touch {tree}/done"
    words = "run", "--name", "orphans", "--deny", f"{secret}:read_file", "--", "sh", "-c", script
    with start(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline.until((tree / "ready").exists, "the command runs")
        process.kill()
    assert listed() == ["orphans"]
    place = next(info.cgroup for info in live.list() if info.name == "orphans")
    (tree / "go").touch()
    deadline.until((tree / "done").exists, "the command went on")
    assert "hidden" not in (tree / "out").read_text()
    assert "Permission denied" in (tree / "out").read_text()
    deadline.until(lambda: not listed(), "the domain was swept")
    assert place and not place.exists()


def test_run_inside_run(secret: Path, tree: Path) -> None:
    """A runner in a domain cannot load anything new there, and says so."""
    inner = (*COMMAND, "run", "--deny", tree / "other", "--", "true")
    (tree / "other").mkdir()
    status, _, err = run("run", "--deny", f"{secret}:read_file", "--", *inner)
    assert status in (0, 125), err
    assert "Traceback" not in err


def test_life_of_a_domain(secret: Path, tree: Path, cgroup: Path) -> None:
    """attach, list, show, events, update, detach: as the README has them."""
    first, second = tree / "first.toml", tree / "second.toml"
    first.write_text(f'default = "allow"\n[[path_beneath]]\nparent = ["{secret}"]\ndenied_access = ["read_file"]\n')
    second.write_text(f'default = "allow"\n[[path_beneath]]\nparent = ["{secret}"]\ndenied_access = ["write_file"]\n')
    inside = ["sh", "-c", f"echo $$ >{cgroup}/cgroup.procs; cat {secret}/file"]
    assert run("events", "--no-follow")[0] == 0  # what other tests left would leave no room
    assert run("check", first)[0] == 0
    assert run("attach", "-p", first, "--cgroup", cgroup, "--name", "life")[0] == 0
    assert subprocess.run(inside, capture_output=True, check=False).returncode == 1
    status, out, _ = run("show", "life")
    assert status == 0
    assert f"{first}:3" in out
    status, out, _ = run("events", "life", "--no-follow")
    assert status == 0
    assert f"{first}:3" in out and "comm='cat'" in out and "hook=file_open" in out and str(secret / "file") in out
    assert run("update", "life", "-p", second)[0] == 0
    assert subprocess.run(inside, capture_output=True, check=False).stdout == b"hidden\n"
    assert run("detach", "life")[0] == 0
    assert "life" not in run("list")[1]
    status, _, err = run("detach", "life")
    assert (status, err) == (1, "landlock-bpf: there is no domain life; `landlock-bpf list` names those in force\n")


def test_permissive(secret: Path) -> None:
    """What would be denied is done, and told; without the word it is denied."""
    words = ("--name", "trial", "--deny", f"{secret}:read_file", "--", "cat", secret / "file")
    assert run("run", *words)[:2] == (1, "")
    assert run("events", "--no-follow")[0] == 0  # what was so far
    status, out, err = run("run", "--permissive", *words)
    assert (status, out) == (0, "hidden\n"), err
    told = run("events", "--no-follow")[1].splitlines()
    assert told and all(" WOULD BE DENIED " in line and " domain=trial " in line for line in told)
    assert any(f" WOULD BE DENIED EACCES read_file {secret}/file " in line for line in told)


def test_rules_added_and_removed(secret: Path, tree: Path, cgroup: Path, cleared: None) -> None:
    """At once, for who is in the domain already; the other rules stay."""
    for path in (secret / "inner", tree / "open"):
        path.mkdir()
        (path / "file").write_text("")
    policy = tree / "policy.toml"
    policy.write_text(f'default = "allow"\n[[path_beneath]]\nparent = ["{secret}"]\ndenied_access = ["write_file"]\n')
    assert run("attach", "-p", policy, "--cgroup", cgroup, "--name", "workshop")[0] == 0
    paths = (secret / "file", secret / "inner/file", tree / "open/file")

    with Member(cgroup) as inside:

        def read() -> list[int]:
            assert inside.errno(operation.touch, secret / "file", os.O_WRONLY) == errno.EACCES
            return [inside.errno(operation.touch, path, os.O_RDONLY) for path in paths]

        assert read() == [0, 0, 0]
        for words, expected in (
            (("add", "workshop", "--deny", f"{secret}:read_file"), [errno.EACCES, errno.EACCES, 0]),
            (("add", "workshop", "--ro", secret / "inner"), [errno.EACCES, 0, 0]),
            (("remove", "workshop", secret / "inner"), [errno.EACCES, errno.EACCES, 0]),
        ):
            assert run("rule", *words) == (0, "", ""), words
            assert read() == expected, words
        assert run("rule", "remove", "workshop", secret) == (0, "", "")
        assert [inside.errno(operation.touch, secret / "file", flags) for flags in (os.O_RDONLY, os.O_WRONLY)] == [0, 0]
        status, _, err = run("rule", "remove", "workshop", secret)
        assert (status, f"the domain workshop was given no rule on {secret}; " in err) == (1, True)


OCI = (
    '{{"ociVersion": "1.2.0", "process": {{"landlock": {{"{key}": {{"handledAccessFS": ["write_file"]}},'
    ' "rules": {{"pathBeneath": [{{"allowedAccess": ["write_file"], "paths": ["{top}/open", "/dev"]}}]}}}}}}}}'
)
SETPRIV = (
    "--landlock-access fs:write-file --landlock-rule path-beneath:write-file:{top}/open --landlock-rule path-beneath::/dev"
)
VARIABLES = {"LL_FS_RO": "/", "LL_FS_RW": "{top}/open:/dev"}
# A file of another tool, or the words of `run` instead.
FORMS = {
    "OCI 1111": (OCI.replace("{key}", "ruleset"), ()),
    "OCI 1241": (OCI.replace("{key}", "handledAccess"), ()),
    "setpriv": (SETPRIV, ()),
    "setpriv's words": ("", tuple(SETPRIV.split())),
    "sandboxer": ("".join(f"{name}={value}\n" for name, value in VARIABLES.items()), ()),
    "sandboxer's variables": ("", ("-p", "env:")),
    "landrun": ("--rox / --rw {top}/open --rw /dev --unrestricted-network", ()),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_other_tools(name: str, secret: Path, tree: Path) -> None:
    """All of these allow writing in one folder alone."""
    text, words = FORMS[name]
    (tree / "open").mkdir()
    (tree / "policy").write_text(text.format(top=tree))
    given = [word.format(top=tree) for word in words] or ["-p", tree / "policy"]
    environ = {**os.environ, **{name: value.format(top=tree) for name, value in VARIABLES.items()}}
    script = f"echo new >{tree}/open/file; echo new >{secret}/file; cat {tree}/open/file {secret}/file"
    (tree / "open/file").write_text("old\n")
    status, out, err = run("run", *given, "--", "sh", "-c", script, env=environ)
    assert (status, out) == (0, "new\nhidden\n"), err
    assert err.count("Permission denied") == 1
    assert run("run", "--rwx", "/", "--", "sh", "-c", script)[1] == "new\nnew\n"


def test_mistakes_of_a_policy_are_told_at_once(tree: Path, cgroup: Path, listed: Listed) -> None:
    policy = tree / "wrong.toml"
    (tree / "file").write_text("")
    policy.write_text(
        f'[[path_beneath]]\nparent = ["{tree}/missing"]\nallowed_access = ["read_file"]\n'
        f'[[path_beneath]]\nparent = ["{tree}/file/absent"]\ndenied_access = ["read_file"]\n'
        f'[[path_beneath]]\nparent = ["{tree}/file"]\nallowed_access = ["read_dir"]\n'
    )
    status, _, err = run("attach", "-p", policy, "--cgroup", cgroup, "--name", "wrong")
    assert status == 1
    assert [line.split(": ")[1] for line in err.splitlines()] == [f"{policy}:{number}" for number in (2, 5, 8)]
    assert not listed()


def test_only_root_may() -> None:
    def become() -> None:
        os.setgroups([])
        os.setresgid(1000, 1000, 1000)
        os.setresuid(1000, 1000, 1000)

    status, _, err = run("list", preexec_fn=become)
    assert status == 1
    assert err.startswith("landlock-bpf: this needs root: sudo ")


def test_doctor() -> None:
    status, out, err = run("doctor")
    assert status == 0, out + err
    (canary,) = [line for line in out.splitlines() if line.startswith("enforcement")]
    assert canary.split()[1] == "yes"
