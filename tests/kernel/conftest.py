# SPDX-License-Identifier: GPL-2.0-only
"""The ground that kernel tests stand on: the engine loaded once, a control group and a tree of files for each test."""

from __future__ import annotations

import contextlib
import functools
import gc
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import deadline
import member
import preemption
import pytest
import rule

from landlock_bpf import abi, action_table, bpf, controller, errors, events, policy, rule_request
from landlock_bpf import cgroup as groups
from landlock_bpf import engine as engines

CGROUPS = Path("/sys/fs/cgroup/landlock-bpf-tests")
KEEPER = "keeper"
_numbers = itertools.count(1)


def why_not() -> str | None:
    """Say what keeps these tests from running here."""
    if os.geteuid() != 0:
        return "root only: run vm/test, which needs no root, or sudo"
    try:
        lsms = Path("/sys/kernel/security/lsm").read_text().strip().split(",")
    except OSError as error:
        return f"the LSMs of this kernel are not known: {error}"
    return None if "bpf" in lsms else "bpf is not among the LSMs of this kernel: run vm/test, or boot with bpf in lsm="


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if reason := why_not():
        # A guest is made for these tests: there, none may pass by not running.
        assert "LANDLOCK_BPF_VM" not in os.environ, reason
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Say at once why a test failed: a guest may be gone before all are done."""
    if report.failed:
        print(f"\n{report.longreprtext}", flush=True)


@pytest.fixture(scope="session", autouse=True)
def engine() -> Iterator[None]:
    """Leave the kernel as it was found: the same programs and maps before all tests and after them."""
    ids = {"programs": bpf.prog_ids, "maps": bpf.map_ids, "links": bpf.link_ids}
    before = {kind: set(read()) for kind, read in ids.items()}
    CGROUPS.mkdir()
    yield
    with controller.Controller.open() as live:
        live.unload()
    for each in (CGROUPS / KEEPER, CGROUPS):
        if each.exists():
            each.rmdir()
    gc.collect()  # what is in a cycle with a traceback may have a map in memory
    for kind, read in ids.items():
        deadline.until(functools.partial(_same, read, before[kind]), f"the {kind} of before the tests are all there are")


def _same(read: Callable[[], Iterator[int]], before: set[int]) -> bool:
    return set(read()) == before


@pytest.fixture(scope="session")
def live(pytestconfig: pytest.Config) -> Iterator[controller.Controller]:
    """The controller, with a domain of nobody that keeps all hooks attached: attaching them costs an emulated guest seconds."""
    with controller.Controller.open() as opened:
        if not pytestconfig.getoption("--few-hooks"):
            keep_hooks(opened)
        yield opened


@pytest.fixture
def alone(live: controller.Controller) -> Iterator[controller.Controller]:
    """The controller without that domain: none is in force, and no hook attached."""
    live.detach(KEEPER)
    yield live
    keep_hooks(live)


def keep_hooks(live: controller.Controller) -> None:
    """Attach every hook that domains of control groups need."""
    place = CGROUPS / KEEPER
    place.mkdir(exist_ok=True)
    live.attach(KEEPER, [rule.make(action_table.ALL, rule.deny(place, action_table.ALL), default="allow")], place)


@pytest.fixture
def listed(live: controller.Controller) -> Callable[[], list[str]]:
    """Name the domains that tests made, as `list` does."""
    return lambda: [info.name for info in live.list() if info.name != KEEPER]


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A control group of the test's own; it and all in it are gone afterwards."""
    path = CGROUPS / f"test{next(_numbers)}"
    path.mkdir()
    yield path
    remove(path)


def remove(path: Path) -> None:
    """Kill all in a control group, and remove it and what is beneath."""
    (path / "cgroup.kill").write_text("1")
    deadline.until(lambda: "populated 0" in (path / "cgroup.events").read_text(), f"{path} is empty")
    assert groups.remove(path)


@pytest.fixture
def preempted() -> Iterator[None]:
    """Tasks are interrupted in the kernel, too."""
    with preemption.full():
        yield


@pytest.fixture
def attach(live: controller.Controller, cgroup: Path) -> Iterator[rule.Attach]:
    """Put policies and rule programs in force on the test's control group, or another, till the test ends; gives the name."""
    names: list[str] = []

    def attach(*policies: policy.Policy, cgroup: Path = cgroup, rules: rule_request.Request | None = None) -> str:
        name = f"d{next(_numbers)}"
        live.attach(name, policies, cgroup, rules=rules)
        names.append(name)
        return name

    yield attach
    for name in names:
        with contextlib.suppress(errors.NotFoundError):  # the test has ended it
            live.detach(name)


@pytest.fixture
def reported(live: controller.Controller) -> Callable[[], set[tuple[str, str]]]:
    """Give hook and reason of all that was denied in the test."""
    for _ in events.read(follow=False):
        pass
    return lambda: {(denial.hook, denial.reason) for denial in events.read(follow=False)}


@pytest.fixture
def forgotten(live: controller.Controller) -> Iterator[None]:
    """Let tasks of other tests not pay for those that left their control group in this one."""
    yield
    found = engines.find()
    assert found
    with found:
        found.state.escaped = 0


@pytest.fixture
def inside(cgroup: Path) -> Iterator[member.Member]:
    """A process in the test's control group, waiting for what to try."""
    with member.Member(cgroup) as started:
        yield started


@pytest.fixture
def outside() -> Iterator[member.Member]:
    """A process in no domain."""
    with member.Member() as started:
        yield started


@pytest.fixture
def bound(inside: member.Member, attach: rule.Attach) -> member.Member:
    """A process in a domain whose policy speaks of nothing that is tried in tests of escapes."""
    attach(rule.make(abi.Action.MAKE_FIFO, default="allow"))
    return inside


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder of the test's own, on tmpfs in a guest."""
    return tmp_path


@pytest.fixture
def file(tree: Path) -> Path:
    """A file to be locked."""
    path = tree / "file"
    path.write_text("")
    return path


@pytest.fixture
def cleared(live: controller.Controller, listed: Callable[[], list[str]]) -> Iterator[None]:
    """End the domains that the test leaves."""
    yield
    for name in listed():
        live.detach(name)


@pytest.fixture
def secret(tree: Path) -> Path:
    """A file that may not be read."""
    path = tree / "secret"
    path.write_text("")
    return path


@pytest.fixture
def home(cgroup: Path) -> Path:
    """The control group of the domain."""
    path = cgroup / "home"
    path.mkdir()
    return path


@pytest.fixture
def elsewhere(cgroup: Path) -> Path:
    """A control group beside that of the domain."""
    path = cgroup / "elsewhere"
    path.mkdir()
    return path


@pytest.fixture
def home_domain(secret: Path, home: Path, attach: rule.Attach) -> str:
    """The name of a domain on `home`, in which `secret` cannot be read."""
    return attach(rule.unreadable(secret), cgroup=home)
