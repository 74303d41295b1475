# SPDX-License-Identifier: GPL-2.0-only
"""Say whether an access is allowed or denied: by which rule of which layer, and the walk that led there.

A DOMAIN, by its name, is asked for what it has in force; a POLICY, a file, as if it were in force now.
The engine in the kernel decides, by the same walk as for an access. Paths are those that the caller sees.

ACTION is one of the actions of a policy; `all`, for a table of them; or `rename` or `link`, with two paths. PATH is what is
read, made, removed: of what is to be made or removed, its directory is asked. It need not exist.

`ioctl` asks for all ioctl commands: it is denied if one of them is. `ioctl:TIOCSTI` or `ioctl:0x5412` asks for one command,
with all else that this needs, of a file that is opened now.

Where the kernel does not tell by which mount a thing is reached, as for utimensat(2), each mount that shows it is asked: those
of the caller's mount namespace, and all must allow. What is refused in every domain, to write to what controls the kernel, is
no matter of policies and is not asked: `not asked:` says where that may be so, and what else is not to be seen from here.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from landlock_bpf import (
    abi,
    action_table,
    asker,
    cli,
    errors,
    events,
    explanation,
    ioctl_commands,
    policy_actions,
    policy_forms,
    terminal,
    unasked,
)
from landlock_bpf.cli import layers, output

EXAMPLES = """\
examples:
  sudo landlock-bpf why workshop read_file ~/.ssh/id_ed25519
  sudo landlock-bpf why policies/home-minus-ssh.toml all ~/.ssh
  sudo landlock-bpf why workshop rename notes.txt ~/.ssh/notes.txt
  sudo landlock-bpf why workshop ioctl:TIOCSETD /dev/tty

exit status: 0 allowed (all of them), 1 denied, 2 trouble.
"""
EVERYTHING = "all"
WORDS = (EVERYTHING, *asker.MOVES, *(row.name for row in action_table.ACTIONS))
# What is said of a verdict by its reason; others are the engine's: events.REASONS.
REASONS = {
    "allowed": "allows it",
    "default": "allows it: no rule speaks of it, and it does not deny by default",
    "unhandled": "does not handle it",
    "programs": "has rule programs, which are not asked here",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("subject", metavar="DOMAIN|POLICY", help="a domain in force, or a policy file")
    parser.add_argument("action", metavar="ACTION", type=_word, help=f"one of {', '.join(WORDS)}, {asker.IOCTL}COMMAND")
    parser.add_argument("path", metavar="PATH")
    parser.add_argument("path2", metavar="PATH2", nargs="?", default="", help="where it goes, for rename, link and refer")
    output.add_arguments(parser)


def main(args: argparse.Namespace) -> int:
    if bool(args.path2) != (args.action in asker.MOVES) and not (args.path2 and args.action == "refer"):
        args.parser.error(f"{args.action} takes {'two paths' if args.action in asker.MOVES else 'one path'}")
    cli.require_root()
    words = [row.name for row in action_table.ACTIONS] if args.action == EVERYTHING else [args.action]
    with _asker(args.subject) as asked:
        answers = [asked.answer(word, args.path, args.path2) for word in words]
    if args.json:
        output.print_json(answers if args.action == EVERYTHING else answers[0])
    elif args.action == EVERYTHING:
        terminal.print_columns(_row(answer) for answer in answers)
    else:
        for line in describe(answers[0]):
            print(terminal.shown(line))
    return 0 if all(answer.allowed for answer in answers) else 1


def describe(answer: explanation.Answer) -> Iterator[str]:
    """Write an answer for people: the verdict, what each layer says, and the walk."""
    what = f"{answer.action} of {answer.path}" + (f" to {answer.path2}" if answer.path2 else "")
    yield f"{_verdict(answer.allowed)}: {what}"
    if answer.missing:
        yield "  nothing is there now: asked is what would hold if it were"
    yield from (f"  not asked: {unasked.WORDS[word]}" for word in answer.unasked)
    for question in answer.questions:
        yield f"{_what(question, answer)} on {question.path}: {_verdict(question.allowed)}"
        for verdict in question.verdicts:
            yield f"  layer {verdict.layer} ({verdict.policy}) {_says(verdict)}"
        if question.walk:
            yield "  the walk:"
            yield from (f"    {line}" for line in _places(question.walk))


def _asker(subject: str) -> contextlib.AbstractContextManager[asker.Asker]:
    is_file, is_domain = os.path.isfile(subject), subject in asker.domain_names()
    if is_file and is_domain:
        raise errors.NotFoundError(f"{subject} is a file here and a domain in force; write ./{subject} for the file")
    if is_file or "/" in subject or subject == policy_forms.ENVIRONMENT:
        return asker.of_policies(layers.load([Path(subject)]))
    return asker.of_domain(subject)


def _word(text: str) -> str:
    """Take an ACTION: argparse says of any other what is wrong with it."""
    if text.startswith(asker.IOCTL):
        try:
            ioctl_commands.numbers(text[len(asker.IOCTL) :])
        except ValueError as cause:
            what = f"{text[len(asker.IOCTL) :]!r} is no ioctl command that has a name here (see docs/ACTIONS.md), nor a number"
            raise argparse.ArgumentTypeError(what) from cause
    elif text not in WORDS:
        raise argparse.ArgumentTypeError(f"invalid choice: {text!r} (choose from {', '.join(WORDS)}, {asker.IOCTL}COMMAND)")
    return text


def _what(question: explanation.Question, answer: explanation.Answer) -> str:
    """Name what is asked; of ioctl without commands, too, if others of the questions have some."""
    if question.commands:
        return f"{question.action}({', '.join(ioctl_commands.names(question.commands))})"
    return f"{question.action}(all others)" if any(each.commands for each in answer.questions) else question.action


def _verdict(allowed: bool) -> str:
    return "allowed" if allowed else "denied"


def _says(verdict: explanation.Verdict) -> str:
    words = REASONS.get(verdict.reason) or f"denies it: {_reason(verdict.reason)}"
    if verdict.rule:
        only = f" about {', '.join(ioctl_commands.names(verdict.rule.commands))}" if verdict.rule.commands else ""
        words += f", by the rule on {verdict.rule.path}{only} ({verdict.rule.location})"
    return words + (" -- but only reports" if verdict.permissive and not verdict.allowed else "")


def _reason(reason: str) -> str:
    return events.REASONS[abi.Reason[reason.upper()]]


def _places(walk: Sequence[explanation.Place]) -> Iterator[str]:
    for place in walk:
        said = [
            f"layer {rule.layer} {verb} {policy_actions.listed(actions, rule.commands)} ({rule.location})"
            for rule in place.rules
            for verb, actions in (("allows", rule.allowed), ("denies", rule.denied))
            if actions
        ]
        yield f"{place.path}  {'; '.join(said)}".rstrip()


def _row(answer: explanation.Answer) -> tuple[str, ...]:
    said = [(question, verdict) for question in answer.questions for verdict in question.verdicts]
    # What is refused is told first, and what is refused in earnest before that.
    said.sort(key=lambda each: (each[1].allowed, not each[1].allowed and each[1].permissive))
    for question, verdict in said:
        if verdict.rule or not verdict.allowed:
            of = f"{_what(question, answer)}: " if question.commands else ""
            return answer.action, _verdict(answer.allowed), f"{of}layer {verdict.layer} {_says(verdict)}{_open(answer)}"
    return answer.action, _verdict(answer.allowed), _open(answer).lstrip(" -")


def _open(answer: explanation.Answer) -> str:
    """Say in a table that not all has been asked, where that may matter."""
    return f" -- not asked: {', '.join(answer.unasked)}" if answer.unasked and answer.allowed else ""
