# SPDX-License-Identifier: GPL-2.0-only
"""Run a command, and write the policy under which it can run: few rules, to be read and reviewed.

The command runs under a permissive policy that allows nothing: nothing is denied, all that would be is taken down, and rules
are made of it. It runs as with `run`. While it does, denials of other domains are not kept for `events`. Only what it did
this time is known, and not what it left running: do all that it is for, and add to the policy with --merge.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import shlex
import stat
from collections.abc import Iterable
from pathlib import Path

from landlock_bpf import abi, cli, controller, errors, events, hooks, invoker, launch, learning, policy, policy_actions
from landlock_bpf.cli import layers, output

EXAMPLES = f"""\
{learning.RULE}

--merge OLD runs the command under OLD, permissive, and adds rules for what OLD would deny because no rule allows it. The
rules of OLD stay as they are written: nothing that it allows is taken away, and what it denies stays denied, and is told.

exit status: as of `run`, the command's own; 125 if no policy could be written.

examples:
  sudo landlock-bpf learn -o build.toml -- make
  sudo landlock-bpf learn --merge build.toml -o build.toml -- make install
  sudo landlock-bpf run -p build.toml -- make
"""
_ALWAYS = abi.Action.REFER | hooks.WITHHELD  # what every policy handles
_NAME_MAX = int(abi.Limit.NAME) - 1
# What no permission can help against, in a permissive policy either.
_ALLOWABLE = ("no_rule", "opened", "mount", "refer")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s -o POLICY [--merge OLD] [--fold N] [--handle ACTIONS] -- COMMAND"
    parser.add_argument("-o", "--output", metavar="POLICY", type=Path, required=True, help="the file to write, in TOML")
    parser.add_argument("--merge", metavar="OLD", type=Path, help="a policy to add to; POLICY may be the same file")
    parser.add_argument(
        "--fold", metavar="N", type=int, default=learning.FOLD,
        help="more than N files of a directory used alike become the directory (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--handle", metavar="ACTIONS", default="",
        help="actions that the policy is to rule on, with commas between (default: the 16 of Landlock's first five ABIs)",
    )  # fmt: skip
    parser.add_argument("--name", help="name of the domain while the command runs (default: one is made)")
    parser.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER, help="the command and its arguments")


def main(args: argparse.Namespace) -> int:
    if args.fold < 0:
        args.parser.error("--fold takes a number of files, 0 or more")
    if args.merge and args.handle:
        args.parser.error("--handle is for a new policy: with --merge, OLD says what is handled")
    if args.output.exists() and not (args.merge and args.output.samefile(args.merge)):
        raise errors.BusyError(f"{args.output} is there already; give --merge {args.output} to add to it, or remove it")
    output.require_writable(args.output)
    old = layers.load([args.merge])[0] if args.merge else None
    asked_under = old or policy.Policy(args.output.stem[:_NAME_MAX], _handled(args), "deny", (), "learn")
    cli.require_root()
    user = invoker.find(os.environ)
    status, denials = _run(args, dataclasses.replace(asked_under, permissive=True), user)
    asked = list(_allowable(denials))
    host = learning.Host(_is_directory, _homes(user))
    rules = _resolvable(learning.rules(asked, host, fold=args.fold, handled=asked_under.handled | _ALWAYS), asked_under)
    text = compose(args.command, rules, asked_under, args.merge)
    _write(args.output, text, asked_under, user)
    return launch.end_like(status)


def _resolvable(rules: tuple[policy.Rule, ...], base: policy.Policy) -> tuple[policy.Rule, ...]:
    """Put rules on what they can be tied to."""
    while rules:
        try:
            with controller.Controller.open() as live:
                live.try_out([_with_rules(dataclasses.replace(base, rules=()), rules)])
            break
        except errors.PolicyError as error:
            wrong = {problem.line for problem in error.problems}
            if any(rule.path == "/" for rule in rules if rule.location.line in wrong):
                raise
            rules = learning.lifted(rules, wrong)
    return rules


def compose(command: Iterable[str], rules: tuple[policy.Rule, ...], base: policy.Policy, old: Path | None) -> str:
    """Write the policy: that of the rules alone, or the old file with them at its end."""
    from landlock_bpf import policy_writer

    line = f"# Learned from: {shlex.join(command)}".replace("\n", " ")
    if old is None:
        return f"{line}\n" + policy_writer.write(_with_rules(base, rules), json_spelling=False)
    if old.suffix != ".toml":  # JSON, or another tool's form
        return f"{line}\n" + policy_writer.write(_with_rules(base, (*base.rules, *rules)), json_spelling=False)
    before = old.read_text()
    if not rules:
        return before
    added = policy_writer.write(_with_rules(base, rules), json_spelling=False)
    return f"{before.rstrip()}\n\n{line}\n{added[added.index('[[path_beneath]]') :]}"


def _with_rules(base: policy.Policy, rules: tuple[policy.Rule, ...]) -> policy.Policy:
    handled = base.handled
    for rule in rules:
        handled |= rule.allowed  # what every policy handles, named or not, as mount
    return dataclasses.replace(base, handled=handled, rules=rules)


def _rules_on(one: policy.Policy) -> tuple[abi.Action, abi.Action]:
    """Say what it handles and allows by default, what every policy handles left out."""
    return one.handled & ~_ALWAYS, one.default_allow & ~_ALWAYS


def _write(path: Path, text: str, base: policy.Policy, user: invoker.Invoker | None) -> None:
    """Write the policy whole or not at all, if it reads as one that rules on the same."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text)
        (made,) = layers.load([part])
        if _rules_on(made) != _rules_on(base):
            raise errors.Error(f"what was learned would change what {path} rules on; write the rules by hand:\n{text}")
        if user:
            os.chown(part, user.uid, user.gid)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def _run(args: argparse.Namespace, soft: policy.Policy, user: invoker.Invoker | None) -> tuple[int, list[events.Denial]]:
    from landlock_bpf import recording

    with contextlib.ExitStack() as stack:
        with controller.Controller.open() as live:
            confinement = live.prepare((soft,), name=args.name)
        mask = stack.enter_context(launch.held_signals())
        stack.callback(confinement.close)
        with recording.Recording(confinement.name) as recorded:
            environ = invoker.environment(os.environ, user)
            status = launch.run(args.command, confinement, mask=mask, user=user, environ=environ)
        return status, list(recorded.denials())


def _allowable(denials: Iterable[events.Denial]) -> Iterable[learning.Asked]:
    """Give what rules can allow; tell the rest."""
    for denial in denials:
        if denial.reason not in _ALLOWABLE or denial.rule or denial.path.startswith("..."):
            cli.complain(f"stays denied: {events.format_text(denial)}")
        else:
            yield learning.Asked(denial.action, denial.path, denial.path2)


def _handled(args: argparse.Namespace) -> abi.Action:
    if not args.handle:
        return policy_actions.CLASSIC
    handled = policy.NOTHING
    for word in args.handle.split(","):
        words = {**policy_actions.GROUPS, **policy_actions.NAMES}
        if word not in words:
            args.parser.error(f"{word!r} is no action; {policy_actions.suggestion(word, words)}")
        handled |= words[word]
    return handled


def _is_directory(path: str) -> bool | None:
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    # No rule can be tied to a link.
    return None if stat.S_ISLNK(mode) else stat.S_ISDIR(mode)


def _homes(user: invoker.Invoker | None) -> frozenset[str]:
    return frozenset(os.path.realpath(path) for path in (os.environ.get("HOME", "/root"), user.home if user else "/root"))
