# SPDX-License-Identifier: GPL-2.0-only
"""A domain in force, as the controller gives it: what can be done with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from landlock_bpf import abi, descriptors, errors, events, inventory, marking, policy, rule_request

if TYPE_CHECKING:
    from landlock_bpf import controller, explanation


class Domain:
    """A domain in force, known by its name; Controller.attach(), confine() and domain() give one.

    As a context manager it ends the domain at the end of the block. A domain of processes is left to end with the last of
    them. `held` lists files that members had open where the policies deny, when it was made: they stay usable. `notes` say
    what of its policies could not be covered.
    """

    def __init__(
        self,
        control: controller.Controller,
        name: str,
        held: Sequence[descriptors.Held] = (),
        notes: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.held = tuple(held)
        self.notes = tuple(notes)
        self._control = control

    def __repr__(self) -> str:
        return f"Domain({self.name!r})"

    def __enter__(self) -> Domain:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(errors.BusyError, errors.NotFoundError):
            self.detach()

    def info(self) -> inventory.DomainInfo:
        """Tell what `list` tells of it."""
        return self.show().info

    def show(self) -> inventory.DomainDetail:
        """Tell all about it: layers, rules, hooks."""
        return self._control.show(self.name)

    def update(self, policies: Sequence[policy.Policy], *, rules: rule_request.Request | None = None) -> Domain:
        """Replace all that it was given, at once."""
        self.notes = self._control.update(self.name, policies, rules=rules).notes
        return self

    def add_rules(self, wanted: policy.Policy, layer: int | None = None) -> Domain:
        """Add rules to a policy of it, at once; see Controller.add_rules()."""
        self.notes = self._control.add_rules(self.name, wanted, layer).notes
        return self

    def remove_rule(self, path: str, layer: int | None = None) -> Domain:
        """Remove what its policies say of a path, at once."""
        self.notes = self._control.remove_rule(self.name, path, layer).notes
        return self

    def mark(self, trees: marking.Trees) -> Domain:
        """Mark anew what is in views of its rule programs, at once."""
        self._control.mark(self.name, trees)
        return self

    def confine(self, pidfd: int, *, thread: int = 0) -> Domain:
        """Put a running process, or one thread of it, under what this domain was given itself; gives the domain it is in.

        That is this one, if it is of processes and right inside the process domain that the process is in. Else it is a
        new process domain with the same layers, which later changes of this one do not reach.
        """
        return self._control.confine_alike(self.name, pidfd, thread=thread)

    def why(self, action: str, path: str, path2: str = "") -> explanation.Answer:
        """Say whether an access would be allowed, by which rules of which layers, and the walk that led there.

        `action` is named as in policy files, or is "rename" or "link", with a second path, or "ioctl:" and a command.
        ValueError for what is none of these, OSError where a path cannot be looked at.
        """
        from landlock_bpf import asker

        with asker.of_domain(self.name) as asked:
            return asked.answer(action, path, path2)

    def denials(self, *, follow: bool = False) -> Iterator[events.Denial]:
        """Give denials of this domain that nobody has read yet; with `follow`, all to come. Those of others are dropped."""
        return (denial for denial in events.read(follow=follow) if denial.domain == self.name)

    def detach(self) -> None:
        """End it. BusyError for one of processes that still run: they keep it until they end."""
        self._control.detach(self.name)

    @property
    def kind(self) -> abi.Kind:
        """Say whether it is tied to a control group or to processes."""
        return self.info().kind
