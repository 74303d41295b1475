# SPDX-License-Identifier: GPL-2.0-only
"""The conditions of a run: what kernel, what machine, which LSMs, and when. Every JSON document begins with them."""

from __future__ import annotations

import datetime
import os
from typing import Any

from landlock_bpf import features


def head(form: str) -> dict[str, Any]:
    """Begin a document of the form that is named; `lsm` is None where it is not known."""
    machine = os.uname()
    return {
        "format": form,
        "kernel": machine.release,
        "machine": machine.machine,
        "lsm": features.lsms(),
        "date": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
