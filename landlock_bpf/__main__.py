# SPDX-License-Identifier: GPL-2.0-only
"""`python3 -m landlock_bpf` is `landlock-bpf`."""

from __future__ import annotations

import sys

from landlock_bpf import cli

sys.exit(cli.main())
