# SPDX-License-Identifier: GPL-2.0-only
"""A sample: an operation measured in a child that comes under a mechanism first."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import statistics
import struct
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from landlock_bpf import errors

BATCH, LEAST_BATCHES, MOST_BATCHES = 8, 63, 2001
OPEN = "open"
Names = tuple[str, str, str]  # a file, and two names that an operation may make: see struct subject of operations.c


class _Subject(ctypes.Structure):
    """struct subject of operations.c."""

    _fields_ = [("file", ctypes.c_char_p), ("first", ctypes.c_char_p), ("second", ctypes.c_char_p), ("fd", ctypes.c_int)]


@dataclasses.dataclass(frozen=True)
class Sample:
    """What one operation took, in the clock's unit: the median of all batches, and between what 80 % of them lie."""

    median: float
    low: float
    high: float
    operations: int


@dataclasses.dataclass(frozen=True)
class Way:
    """How a process comes under a mechanism: by what it does itself, or by the words before a program's command line."""

    enter: Callable[[], None] = lambda: None
    prefix: tuple[str, ...] = ()


class Workload:
    """The operations, loaded; batches of about `budget` of the clock's nanoseconds make a sample."""

    def __init__(self, library: Path, program: Path, *, budget: int = 20_000_000) -> None:
        self.budget = budget
        self.program = program
        self._library = ctypes.CDLL(str(library))
        self._library.measure.argtypes = [
            ctypes.c_char_p,
            ctypes.POINTER(_Subject),
            ctypes.c_uint32,
            ctypes.c_uint32,
            ctypes.c_uint64,
            ctypes.POINTER(ctypes.c_uint32),
            ctypes.POINTER(ctypes.c_uint64),
        ]
        for name in ("time_short_chain", "time_long_chain"):
            function = getattr(self._library, name)
            function.argtypes, function.restype = [ctypes.c_uint64], ctypes.c_uint64

    def time_chains(self, rounds: int) -> tuple[float, float]:
        """Tell the nanoseconds of one instruction in two loops of different instructions; the best of several."""
        short = min(self._library.time_short_chain(rounds) for _ in range(9))
        long = min(self._library.time_long_chain(rounds) for _ in range(9))
        return short / (2 * rounds), long / (3 * rounds)

    def sample(self, operation: str, subjects: Sequence[Names], way: Way, *, times: int = 1, batch: int = BATCH) -> Sample:
        """Do an operation to the subjects in turn in a child that goes that way first; raises Error with the child's words.

        `times` is how many of the calls that are to be told of are in one, and `batch` of them are timed together.
        """
        often = max(batch // times, len(subjects))
        subject = subjects[0][0]
        if way.prefix:
            assert len(subjects) == 1, "the program takes one"
            answer = _in_child(subject, way, lambda pipe: self._execute(operation, subjects[0], often, way.prefix, pipe))
        else:
            answer = _in_child(subject, way, lambda pipe: _write(pipe, self._measure(operation, subjects, often)))
        spent = struct.unpack(f"{len(answer) // 8}Q", answer)
        values = [value / (often * times) for value in spent]
        deciles = statistics.quantiles(values, n=10)
        return Sample(statistics.median(values), deciles[0], deciles[-1], often * times * len(spent))

    def _measure(self, operation: str, subjects: Sequence[Names], often: int) -> bytes:
        raw = [_Subject(*map(os.fsencode, names), -1) for names in subjects]
        spent = (ctypes.c_uint64 * MOST_BATCHES)()
        range_ = (ctypes.c_uint32 * 2)(LEAST_BATCHES, MOST_BATCHES)
        count = self._library.measure(
            operation.encode(), (_Subject * len(raw))(*raw), len(raw), often, self.budget, range_, spent
        )  # fmt: skip
        if count < 0:
            raise errors.KernelError(operation, subjects[0][0], -count, "the mechanism under test must allow it")
        return bytes(spent)[: count * ctypes.sizeof(ctypes.c_uint64)]

    def _execute(self, operation: str, names: Names, often: int, prefix: Sequence[str], pipe: int) -> NoReturn:
        os.dup2(pipe, 1)
        numbers = map(str, (often, self.budget, LEAST_BATCHES, MOST_BATCHES))
        words = [*prefix, str(self.program), operation, *numbers, *names]
        os.execvp(words[0], words)


def _in_child(subject: str, way: Way, act: Callable[[int], None]) -> bytes:
    """Give what a child writes to its end of a pipe, once it has entered."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status, words = 1, ""
        try:
            way.enter()
            act(writing)
            status = 0
        except (errors.Error, OSError) as error:
            words = str(error)
        finally:
            # A child never returns into its parent's code, whatever was raised.
            if status:
                _write(writing, (words or traceback.format_exc()).encode())
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        told = answer.decode(errors="replace") or f"the child ended with status {status}"
        raise errors.Error(f"cannot measure {subject}: {told}")
    return answer


def _write(pipe: int, data: bytes) -> None:
    with os.fdopen(pipe, "wb") as stream:
        stream.write(data)
