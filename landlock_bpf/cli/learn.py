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
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from landlock_bpf import (
    abi,
    cli,
    controller,
    errors,
    events,
    invoker,
    launch,
    learning,
    policy,
    policy_actions,
    policy_addition,
    policy_source,
    terminal,
)
from landlock_bpf.cli import output

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
    if policy_source.is_json("", args.output):
        args.parser.error("POLICY is written in TOML, and would be read as JSON by its name: call it .toml")
    with output.opened(args.output) as place:
        return _learn(args, place)


def _learn(args: argparse.Namespace, place: output.Place) -> int:
    if args.output.exists() and not (args.merge and args.merge.exists() and args.output.samefile(args.merge)):
        raise errors.BusyError(f"{args.output} is there already; give --merge {args.output} to add to it, or remove it")
    output.require_writable(args.output)
    reviewed = policy_addition.read(args.merge, os.environ) if args.merge else None
    base = reviewed.said if reviewed else policy.Policy(args.output.stem[:_NAME_MAX], _handled(args), "deny", (), "learn")
    policy_addition.try_out(args.output, base, reviewed, os.environ)
    cli.require_root()
    user = invoker.find(os.environ)
    host = learning.Host(_is_directory, _homes(user))
    handled = base.handled | policy_addition.ALWAYS
    status, denials = _run(args, dataclasses.replace(base, permissive=True), user)
    text = ""
    try:
        rules = learning.rules(list(_allowable(denials)), host, fold=args.fold, handled=handled)
        text = policy_addition.compose(args.command, rules, base, reviewed)
        rules = _resolvable(rules, base)
        text = policy_addition.compose(args.command, rules, base, reviewed)
        policy_addition.check(text, args.output, base, reviewed, os.environ)
        output.replace(place, text.encode(), user and (user.uid, user.gid))
    except BaseException:
        _print(text.splitlines() or map(events.format_text, denials))  # the run was not for nothing
        raise
    for rule in learning.sweeping(rules, host):
        actions = policy_actions.summary(rule.allowed)
        cli.complain(f"{args.output} allows {actions} on {rule.path} and all beneath: see whether that is wanted")
    return launch.end_like(status)


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(terminal.shown(line), file=sys.stderr)


def _resolvable(rules: tuple[policy.Rule, ...], base: policy.Policy) -> tuple[policy.Rule, ...]:
    """Put rules on what they can be tied to."""
    while rules:
        try:
            with controller.Controller.open() as live:
                live.try_out([policy_addition.with_rules(base, rules)])
            break
        except errors.PolicyError as error:
            wrong = {problem.line for problem in error.problems}
            if any(rule.path == "/" for rule in rules if rule.location.line in wrong):
                raise
            rules = learning.lifted(rules, wrong)
    return rules


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
        pathless = not denial.path or denial.path.startswith("...")
        if denial.reason not in _ALLOWABLE or denial.rule or pathless:
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
