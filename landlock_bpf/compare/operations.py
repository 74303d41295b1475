# SPDX-License-Identifier: GPL-2.0-only
"""The table of operations: all that is tried under each mechanism, in the order of the rows."""

from __future__ import annotations

from collections.abc import Sequence

from landlock_bpf import errors, policy_actions
from landlock_bpf.compare import (
    operation,
    operations_descriptors,
    operations_executing,
    operations_metadata,
    operations_names,
    operations_processes,
    operations_reading,
    operations_routes,
    operations_sockets,
    operations_writing,
)

TABLES = (
    operations_reading.TABLE,
    operations_executing.TABLE,
    operations_writing.TABLE,
    operations_writing.CREATING,
    operations_names.TABLE,
    operations_metadata.TABLE,
    operations_descriptors.TABLE,
    operations_routes.TABLE,
    operations_routes.MOUNTS,
    operations_processes.TABLE,
    operations_processes.KERNEL,
    operations_sockets.TABLE,
)
OPERATIONS = tuple(row for table in TABLES for row in table.rows)


def beginning(words: Sequence[str] | None) -> tuple[operation.Operation, ...]:
    """Give those whose names begin with one of the words, all for None; NotFoundError where one begins no name."""
    if words is None:
        return OPERATIONS
    for word in words:
        if not any(row.name.startswith(word) for row in OPERATIONS):
            first = sorted({row.name.partition("-")[0] for row in OPERATIONS})
            raise errors.NotFoundError(f"no operation begins with {word}; {policy_actions.suggestion(word, first)}")
    return tuple(row for row in OPERATIONS if row.name.startswith(tuple(words)))
