# SPDX-License-Identifier: GPL-2.0-only
"""Errors, one class for each kind of person or machine that can mend them.

Every message says what was attempted, on what, and what to do. Only the command line prints them and exits.
"""

from __future__ import annotations

import errno as errnos
import os
from collections.abc import Iterable
from typing import NamedTuple


class Error(Exception):
    """Base of all errors that this package raises on purpose; str() is ready to be shown to a person."""


class Problem(NamedTuple):
    """One thing wrong with a policy, and where. A line of 0 means the file as a whole, an empty key the line as a whole."""

    file: str
    line: int
    key: str
    what: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        words = f"{self.what}; {self.remedy}" if self.remedy else self.what
        told = f"{place}: {self.key}: {words}" if self.key else f"{place}: {words}"
        return told.replace("\n", "\\n")  # a newline can only be of a name, and each problem has a line


class PolicyError(Error):
    """The author of a policy can mend this: all problems of the policy, in the order of its lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class CompileError(Error):
    """The C compiler refused a program; `words` are its own."""

    def __init__(self, what: str, words: str = "") -> None:
        self.what = what
        self.words = words
        super().__init__(what, words)

    def __str__(self) -> str:
        return f"{self.what}\n{self.words}" if self.words else self.what


class VerifierError(Error):
    """The kernel's verifier refused a program: one line of summary; the whole `log` is for those who ask."""

    def __init__(self, summary: str, log: str = "") -> None:
        self.summary = summary
        self.log = log
        super().__init__(summary, log)

    def __str__(self) -> str:
        return self.summary


class UnsupportedError(Error):
    """This kernel or machine lacks `feature`; `remedy` says how to get it."""

    def __init__(self, feature: str, remedy: str) -> None:
        self.feature = feature
        self.remedy = remedy
        super().__init__(feature, remedy)

    def __str__(self) -> str:
        return f"{self.feature}; {self.remedy}"


class KernelError(Error):
    """A system call failed: `attempted` ("create the map") on `subject` ("fsview"), with the kernel's `errno`."""

    def __init__(self, attempted: str, subject: str, errno: int, remedy: str = "") -> None:
        self.attempted = attempted
        self.subject = subject
        self.errno = errno
        self.remedy = remedy
        super().__init__(attempted, subject, errno, remedy)

    @property
    def name(self) -> str:
        """Name the errno: EPERM rather than 1."""
        return errnos.errorcode.get(self.errno, f"errno {self.errno}")

    @property
    def what(self) -> str:
        """Say what failed, without the remedy."""
        aim = f"{self.attempted} {self.subject}".strip()
        return f"cannot {aim}: {os.strerror(self.errno)} ({self.name})"

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}" if self.remedy else self.what


class BusyError(Error):
    """Somebody else holds it: a lock, or a name that is in use."""


class LimitError(Error):
    """More was asked for than a stated limit allows; nothing was changed."""


class NotFoundError(Error):
    """What was named does not exist: a domain, a cgroup, a program."""


class PrivilegeError(Error):
    """The caller may not do this; mended by becoming root."""
