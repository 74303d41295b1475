# SPDX-License-Identifier: GPL-2.0-only
"""The measured loop, run in a child that comes under a mechanism first; `python -m landlock_bpf.bench.workload` compiles it."""

from __future__ import annotations

import ctypes
import dataclasses
import hashlib
import os
import statistics
import struct
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from landlock_bpf import compiler, errors

SOURCE = Path(__file__).with_name("openclose.c")
FLAGS = ("-shared", "-fPIC", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror")
MIN_BATCHES, MAX_BATCHES = 31, 2001


def compile_workload() -> Path:
    """Compile the loop for this machine, once; call it before a guest boots, whose compiler would take long."""
    clang, text = compiler.find_clang(), SOURCE.read_bytes()
    key = hashlib.sha256(repr((FLAGS, clang.resolve(), clang.stat().st_mtime_ns)).encode() + text).hexdigest()[:16]
    library = compiler.cache_dir() / f"{SOURCE.stem}-{key}.so"
    if not library.exists():
        library.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent, prefix=".compile-") as name:
            compiled = Path(name) / library.name
            done = subprocess.run([clang, *FLAGS, "-o", compiled, SOURCE], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise errors.CompileError(f"{clang} refuses {SOURCE.name}", done.stderr.strip())
            compiled.replace(library)
    compiler.refuse_foreign(library.parent)
    compiler.refuse_foreign(library)
    return library


@dataclasses.dataclass(frozen=True)
class Sample:
    """What one operation took, in the clock's unit: the median of all batches, and between what 80 % of them lie."""

    median: float
    low: float
    high: float
    operations: int


class Workload:
    """The loop, loaded; `operations` make a batch and about `budget` of the clock's nanoseconds a sample."""

    def __init__(self, library: Path, *, operations: int = 32, budget: int = 20_000_000) -> None:
        self.operations = operations
        self.budget = budget
        self._library = ctypes.CDLL(str(library))
        for name in ("time_short_chain", "time_long_chain"):
            function = getattr(self._library, name)
            function.argtypes, function.restype = [ctypes.c_uint64], ctypes.c_uint64

    def time_chains(self, rounds: int) -> tuple[float, float]:
        """Tell the nanoseconds of one instruction in two loops of different instructions; the best of several."""
        short = min(self._library.time_short_chain(rounds) for _ in range(9))
        long = min(self._library.time_long_chain(rounds) for _ in range(9))
        return short / (2 * rounds), long / (3 * rounds)

    def sample(self, paths: Sequence[str], enter: Callable[[], None]) -> Sample:
        """Run the loop over paths in a child that calls enter() first; raises Error with the child's words."""
        spent = self._run_child(paths, enter)
        operations = max(self.operations, len(paths))
        deciles = statistics.quantiles((value / operations for value in spent), n=10)
        return Sample(statistics.median(spent) / operations, deciles[0], deciles[-1], operations * len(spent))

    def _run_child(self, paths: Sequence[str], enter: Callable[[], None]) -> tuple[int, ...]:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            status, answer = 1, b""
            try:
                enter()
                answer = self._measure(paths)
                status = 0
            except (errors.Error, OSError) as error:
                answer = str(error).encode()
            finally:
                # A child never returns into its parent's code, whatever was raised.
                if not answer:
                    answer = traceback.format_exc().encode()
                with os.fdopen(writing, "wb") as pipe:
                    pipe.write(answer)
                os._exit(status)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            answer = pipe.read()
        _, status = os.waitpid(child, 0)
        if status != 0:
            words = answer.decode(errors="replace") or f"the child ended with status {status}"
            raise errors.Error(f"cannot measure {paths[0]}: {words}")
        return struct.unpack(f"{len(answer) // 8}Q", answer)

    def _measure(self, paths: Sequence[str]) -> bytes:
        names = (ctypes.c_char_p * len(paths))(*(os.fsencode(path) for path in paths))
        operations = max(self.operations, len(paths))

        def run(batches: int) -> ctypes.Array[ctypes.c_uint64]:
            spent = (ctypes.c_uint64 * batches)()
            error = self._library.open_close(names, len(paths), operations, batches, spent)
            if error:
                raise errors.KernelError("open", paths[0], -error, "the mechanism under test must allow it")
            return spent

        # The first batches fill the caches and tell how many fit the budget.
        probe = sorted(run(5))[2]
        return bytes(run(min(max(self.budget // max(probe, 1), MIN_BATCHES), MAX_BATCHES)))


if __name__ == "__main__":
    print(compile_workload())
