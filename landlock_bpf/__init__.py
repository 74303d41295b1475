# SPDX-License-Identifier: GPL-2.0-only
"""Landlock as eBPF programs: the eBPF design of 2016-2019 on today's BPF LSM."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from landlock_bpf.abi import Action
    from landlock_bpf.builder import Ruleset
    from landlock_bpf.controller import Controller
    from landlock_bpf.live_domain import Domain
    from landlock_bpf.policy import Policy

__version__ = "0.1.0"
__all__ = ("Action", "Controller", "Domain", "Policy", "Ruleset")

# Imported when first asked for: the command line, which starts before every command, needs few of them.
_HOMES = {"Action": "abi", "Controller": "controller", "Domain": "live_domain", "Policy": "policy", "Ruleset": "builder"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
