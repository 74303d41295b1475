# SPDX-License-Identifier: GPL-2.0-only
"""Settings of the unit tests."""

from __future__ import annotations

import hypothesis

# A busy machine is no failure: vm/test runs these while a kernel is fetched or a guest boots.
hypothesis.settings.register_profile("unit", deadline=None)
hypothesis.settings.load_profile("unit")
