# SPDX-License-Identifier: GPL-2.0-only
"""Write a policy in another form, and list what that form cannot say.

What is lost is found by reading again what was written: it is told as `diff` would. While anything is lost nothing is
written, unless --lossy is given. Needs no root.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from landlock_bpf import cli, errors, policy_conversion
from landlock_bpf.cli import diff, layers, output

EXAMPLES = (
    "forms:\n"
    + "\n".join(f"  {form.name:9} {form.doc}" for form in policy_conversion.FORMS.values())
    + """

exit status: 0 written, 1 something is lost and --lossy is not given, or nothing can be said in that form.

examples:
  landlock-bpf convert work.toml --to oci-1241 --lossy -o landlock.json
  landlock-bpf convert config.json --to toml
  LL_FS_RO=/usr:/etc LL_FS_RW=/tmp landlock-bpf convert env: --to setpriv
"""
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("policy", metavar="POLICY", type=Path, help="a policy, in any form")
    parser.add_argument("--to", dest="form", choices=tuple(policy_conversion.FORMS), required=True, help="the form to write")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to write (default: stdout)")
    parser.add_argument("--lossy", action="store_true", help="write it although the form cannot say all of the policy")


def main(args: argparse.Namespace) -> int:
    form = policy_conversion.FORMS[args.form]
    (made,) = layers.load([args.policy])
    written = policy_conversion.convert(made, form)
    if written.lost is None:
        cli.complain(f"{made.source}: nothing of this policy can be said in the form {form.name}: {form.limits}")
        return 1
    if written.lost.weighs:
        cli.complain(f"{made.source}: the form {form.name} cannot say all of this policy: {form.limits or 'as follows'}")
        for line in diff.words(written.lost, "{} in the policy, here {}", "{} as in the policy"):
            cli.complain(line)
        if not args.lossy:
            cli.complain("nothing was written; --lossy writes what can be said")
            return 1
    _write(written.text, args.output)
    return 0


def _write(text: str, path: Path | None) -> None:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        what = f"{text[error.start : error.end]!r} in a path is not UTF-8 text"
        raise errors.PolicyError([errors.Problem("output", 0, "", what, "a policy file cannot hold it; rename it")]) from error
    if path is None:
        sys.stdout.buffer.write(data)  # UTF-8, as the file would be: whatever the terminal's encoding is
    else:
        output.write(path, data)
