# SPDX-License-Identifier: GPL-2.0-only
"""Policies written in a form, ours or another tool's, and what is lost on the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from landlock_bpf import (
    policy,
    policy_cover,
    policy_difference,
    policy_forms,
    policy_landrun,
    policy_oci,
    policy_sandboxer,
    policy_setpriv,
    policy_writer,
)

_ONLY_ALLOWS = "it allows and denies nothing else, and knows Landlock's rights on files alone"
_SETS = "it has whole sets of rights on paths, to allow and not to deny"


@dataclasses.dataclass(frozen=True)
class Form:
    """A form to write: `write` gives the text, or nothing where nothing can be said; `limits` says what it is not for."""

    name: str
    doc: str
    write: Callable[[policy.Policy], str]
    limits: str = ""


FORMS = {
    form.name: form
    for form in (
        Form("toml", "our own", lambda made: policy_writer.write(made, json_spelling=False)),
        Form("json", "our own in landlockconfig's JSON", lambda made: policy_writer.write(made, json_spelling=True)),
        Form(
            "oci-1111",
            "process.landlock of OCI's runtime-spec, as pull request 1111 has it",
            lambda made: _single_rights(made, lambda kept: policy_oci.write(kept, 1111)),
            _ONLY_ALLOWS,
        ),
        Form(
            "oci-1241",
            "the same, as 1241 has it",
            lambda made: _single_rights(made, lambda kept: policy_oci.write(kept, 1241)),
            _ONLY_ALLOWS,
        ),
        Form("setpriv", "options of setpriv(1)", lambda made: _single_rights(made, policy_setpriv.write), _ONLY_ALLOWS),
        Form("landrun", "options of landrun", policy_landrun.write, _SETS),
        Form("env", "LL_FS_RO and LL_FS_RW of the kernel's sandboxer", policy_sandboxer.write, _SETS),
    )
}


@dataclasses.dataclass(frozen=True)
class Written:
    """A policy in another form, and what the text means otherwise than the policy; without a text nothing can be said."""

    text: str
    lost: policy_difference.Difference | None


def convert(made: policy.Policy, form: Form) -> Written:
    """Write a policy in a form, and read it again to see what was lost."""
    if not form.limits:
        text = form.write(made)
        return Written(text, policy_difference.compare(made, _again(text, form)))
    fitted = policy_cover.on_this_host(made)
    text = form.write(fitted)
    if not text:
        return Written("", None)
    return Written(text, policy_difference.compare(fitted, policy_cover.on_this_host(_again(text, form))))


def _again(text: str, form: Form) -> policy.Policy:
    return policy_forms.parse(text, Path(form.name), {})


def _single_rights(made: policy.Policy, write: Callable[[policy.Policy], str]) -> str:
    kept = policy_cover.single_rights(made)
    return write(kept) if kept else ""
