# SPDX-License-Identifier: GPL-2.0-only
"""The table of mechanisms, in the order of the columns."""

from __future__ import annotations

from landlock_bpf.compare import (
    mechanism,
    mechanism_apparmor,
    mechanism_bpf,
    mechanism_landlock,
    mechanism_mountns,
    mechanism_none,
    mechanism_rule,
    mechanism_seccomp,
    mechanism_tomoyo,
)

MECHANISMS: tuple[mechanism.Mechanism, ...] = (
    mechanism_none.Nothing(),
    mechanism_landlock.Landlock(),
    mechanism_landlock.WithFilter(),
    mechanism_seccomp.Seccomp(),
    mechanism_mountns.MountNamespace(),
    mechanism_apparmor.AppArmor(),
    mechanism_tomoyo.Tomoyo(),
    mechanism_rule.Rule(),
    mechanism_bpf.Engine(),
)
