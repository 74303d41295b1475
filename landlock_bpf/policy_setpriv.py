# SPDX-License-Identifier: GPL-2.0-only
"""The options of setpriv(1) for Landlock, --landlock-access and --landlock-rule: of a command line, or as a file's words.

Facts are of util-linux (sys-utils/setpriv-landlock.c): rights have dashes; "fs" alone is all of them; a rule that names no
right allows all that is handled; of path-beneath:RIGHTS:PATH the path is all after the second colon.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from landlock_bpf import (
    abi,
    policy,
    policy_actions,
    policy_format,
    policy_shell,
    policy_source,
    policy_upstream,
    policy_variables,
)
from landlock_bpf.policy_format import Leaf
from landlock_bpf.policy_reader import Reader

ACCESS, RULE = "--landlock-access", "--landlock-rule"
# Options that come along in a command and say nothing that `run` would not do.
_NEEDLESS = ("setpriv", "--no-new-privs", "--nnp")


def read(text: str, file: str) -> policy.Policy:
    """Read the options in a file, on as many lines as wanted, after the word setpriv or without it."""
    reader = Reader(file, policy_variables.User({}))
    options = list(_options(reader, policy_shell.split(text, file)))
    return _meaning(reader, options)


def from_options(access: Sequence[str], rules: Sequence[str]) -> policy.Policy:
    """Make a policy of the options of a command line; `line` of its rules counts the options."""
    reader = Reader(policy.COMMAND_LINE, policy_variables.User({}))
    words = [(ACCESS, value) for value in access] + [(RULE, value) for value in rules]
    return _meaning(reader, [Leaf(value, line, option) for line, (option, value) in enumerate(words, 1)])


def write(made: policy.Policy) -> str:
    """Write a policy that has only what this form can say: one option a line, quoted for a shell."""
    lines = [f"{ACCESS} fs:{','.join(policy_upstream.spell(made.handled, '-'))}"]
    for rule in made.rules:
        rights = ",".join(policy_upstream.spell(rule.allowed, "-"))
        lines.append(f"{RULE} {shlex.quote(f'path-beneath:{rights}:{rule.path}')}")
    return "\n".join(lines) + "\n"


def _options(reader: Reader, words: Iterable[Leaf]) -> Iterator[Leaf]:
    """Give each option's value, with the option as its key."""
    left = iter(words)
    for word in left:
        text = str(word.value)
        option, equals, value = text.partition("=")
        if option in (ACCESS, RULE):
            following = Leaf(value, word.line, option) if equals else next(left, None)
            if following is None:
                reader.report(word.line, option, "has no value", "write it after the option")
            else:
                yield Leaf(following.value, following.line, option)
        elif text not in _NEEDLESS:
            what = f"{policy_source.quote(text)} is not one of setpriv's options for Landlock"
            remedy = f"leave it out: this file is for {ACCESS} and {RULE}"
            if text.startswith("--landlock"):
                remedy = policy_actions.suggestion(option, (ACCESS, RULE))
            reader.report(word.line, "", what, remedy)


def _meaning(reader: Reader, options: Sequence[Leaf]) -> policy.Policy:
    handled = policy.NOTHING
    for leaf in options:
        if leaf.key == ACCESS:
            handled |= _access(reader, leaf)
    if options and not any(leaf.key == ACCESS for leaf in options):
        first = options[0]
        reader.report(first.line, RULE, f"allows something, but no {ACCESS} denies anything", f"add {ACCESS} fs")
    certain = not reader.problems
    rules = []
    for leaf in options:
        if leaf.key != RULE:
            continue
        kind, _, rest = str(leaf.value).partition(":")
        names, colon, path = rest.partition(":")
        if kind == "net-port":
            reader.wrong(leaf, f"{policy_source.quote(leaf.value)} {policy_format.NETWORK}", policy_format.REMOVE)
        elif kind != "path-beneath" or not colon:
            what = f"{policy_source.quote(leaf.value)} is not a rule on files"
            reader.wrong(leaf, what, "write path-beneath:RIGHTS:PATH, with commas between the rights")
        else:
            allowed = policy_upstream.rights(reader, _list(leaf, names), "-") if names else handled
            for usable in reader.anchored(Leaf(path, leaf.line, leaf.key)):
                location = policy.Location(reader.file, leaf.line)
                rules.append(policy.Rule(usable, allowed, policy.NOTHING, location, allowed, key=leaf.key))
    if certain:
        policy_upstream.report_strays(reader, handled, rules, f"add {ACCESS} fs:{{}}", "-")
    return policy_upstream.finish(reader, handled, rules)


def _access(reader: Reader, leaf: Leaf) -> abi.Action:
    kind, _, names = str(leaf.value).partition(":")
    if kind == "fs":
        return policy_upstream.rights(reader, _list(leaf, names), "-") if names else policy_actions.LANDLOCK
    not_enforced = {"net": policy_format.NETWORK, "scope": policy_format.SCOPES}.get(kind)
    if not_enforced:
        reader.wrong(leaf, f"{policy_source.quote(leaf.value)} {not_enforced}", policy_format.REMOVE)
    else:
        reader.wrong(leaf, f"{policy_source.quote(leaf.value)} is not an access", "write fs, or fs:RIGHTS with commas between")
    return policy.NOTHING


def _list(leaf: Leaf, names: str) -> list[Leaf]:
    return [Leaf(name, leaf.line, leaf.key) for name in names.split(",")]
