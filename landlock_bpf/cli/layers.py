# SPDX-License-Identifier: GPL-2.0-only
"""Policies and rule programs named on the command line: each policy is a layer, all rule programs are one more."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from landlock_bpf import cli, errors, policy

if TYPE_CHECKING:
    from landlock_bpf import descriptors, marking, rule_request

# loader.NAMES and rule_request.ATTACH, as a test sees to: to import these takes a quarter of a start more.
LOADERS = ("libbpf", "bcc")
ATTACH = ("engine", "lsm_cgroup", "auto")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-p", "--policy", dest="policies", metavar="POLICY", type=Path, action="append", default=[],
        help="a policy file: TOML, landlockconfig's JSON, OCI's config.json, options of setpriv or landrun, or env: for "
        "LL_FS_RO and LL_FS_RW of the environment; several are several layers: all must allow",
    )  # fmt: skip
    setpriv = parser.add_argument_group("setpriv's options", "as setpriv(1) has them; together they make one more layer")
    setpriv.add_argument(
        "--landlock-access", metavar="fs[:RIGHTS]", action="append", default=[],
        help="deny RIGHTS, with commas between (default: all of Landlock's), but for what rules allow",
    )  # fmt: skip
    setpriv.add_argument(
        "--landlock-rule", dest="landlock_rules", metavar="path-beneath:RIGHTS:PATH", action="append", default=[],
        help="allow RIGHTS (empty: all that are denied) on PATH and beneath",
    )  # fmt: skip
    parser.add_argument("--permissive", action="store_true", help="deny nothing: report what the policies would deny")
    group = parser.add_argument_group("rule programs", "rules in C, in the form of 2017; together they make one more layer")
    group.add_argument(
        "-r", "--rule", dest="rules", metavar="RULE.c", type=Path, action="append", default=[],
        help="a file of rule programs; of all of them, one denial is enough",
    )  # fmt: skip
    group.add_argument(
        "--view", dest="views", metavar="NAME=MARK:PATH[:PATH]...[,MARK:...]", action="append", default=[],
        help="fill a view that rule programs declare; MARK is ro, rw or a number (default for the only view: "
        "ro and rw from LL_PATH_RO and LL_PATH_RW)",
    )  # fmt: skip
    group.add_argument("--loader", choices=LOADERS, default=LOADERS[0], help="what compiles and loads them (default: libbpf)")
    group.add_argument(
        "--attach", choices=ATTACH, default=ATTACH[0],
        help="through the engine (default), with BPF_LSM_CGROUP on the cgroup itself, or with that where it can be done",
    )  # fmt: skip
    group.add_argument("--verifier-log", action="store_true", help="if the kernel refuses a rule program, print all it says")


def add_words(parser: argparse._ActionsContainer) -> None:
    """Declare landrun's options, which policy.from_words() takes."""
    rights = {"ro": "read", "rox": "read and execute", "rw": "read and write", "rwx": "read, write and execute"}
    for option, meaning in rights.items():
        parser.add_argument(f"--{option}", metavar="PATH", action="append", default=[], help=f"{meaning} beneath PATH")


def require(args: argparse.Namespace, also: str = "", *, other: bool = False) -> None:
    """Refuse a command line without anything to enforce; `other` is whether it has any of the options `also`."""
    if not (has_policies(args) or args.rules or other):
        args.parser.error(f"nothing to enforce: give {also}-p or -r")
    if args.views and not args.rules:
        args.parser.error("--view fills the views of rule programs: give -r as well")
    if args.permissive and args.rules:
        args.parser.error("--permissive is for policies: rule programs cannot but deny")


def has_policies(args: argparse.Namespace) -> bool:
    """Tell whether there are policies, in files or as setpriv's options."""
    return bool(args.policies or args.landlock_access or args.landlock_rules)


def tell(notes: Iterable[str], held: Iterable[descriptors.Held] = ()) -> None:
    """Tell what of the policies could not be covered, and what in denied places members hold open."""
    for note in notes:
        cli.complain(note)
    for each in held:
        cli.complain(str(each) if each.fd is None else f"{each}: it stays usable, though opening it so is denied from now on")


@contextlib.contextmanager
def told(args: argparse.Namespace) -> Iterator[None]:
    """With --verifier-log, print all that the kernel says of a rule program that it refuses in this block."""
    try:
        yield
    except errors.VerifierError as error:
        if args.verifier_log:
            cli.complain_at_length(error.log)
        raise


def load(paths: Iterable[Path]) -> tuple[policy.Policy, ...]:
    """Read policy files in order; raises PolicyError with the problems of all of them."""
    layers: list[policy.Policy] = []
    problems: list[errors.Problem] = []
    for path in paths:
        try:
            layers += policy.load(path)
        except errors.PolicyError as error:
            problems += error.problems
    if problems:
        raise errors.PolicyError(problems)
    return tuple(layers)


def moded(args: argparse.Namespace, policies: Iterable[policy.Policy]) -> tuple[policy.Policy, ...]:
    """With --permissive, make policies of which each denial is reported and allowed."""
    if not args.permissive:
        return tuple(policies)
    return tuple(dataclasses.replace(each, permissive=True) for each in policies)


def load_policies(args: argparse.Namespace, *words: policy.Policy) -> tuple[policy.Policy, ...]:
    """Read all policies of a command line: files, setpriv's options, and those made of other words."""
    policies = load(args.policies)
    if args.landlock_access or args.landlock_rules:
        from landlock_bpf import policy_setpriv

        policies += (policy_setpriv.from_options(args.landlock_access, args.landlock_rules),)
    return moded(args, policies + words)


def load_rules(args: argparse.Namespace) -> rule_request.Request | None:
    """Compile the rule programs of a command line, and read what is marked in their views; None where it has none."""
    if not args.rules:
        return None
    from landlock_bpf import rule_request

    layer = rule_request.compile(args.rules, args.loader)
    trees = marked(args, [view.name for view in layer.views], os.environ)
    return rule_request.Request(layer, args.loader, args.attach, trees)


def marked(args: argparse.Namespace, names: list[str], environ: Mapping[str, str]) -> marking.Trees:
    """Say what views are to show: --view and, for the only view there is, the variables of 2017."""
    from landlock_bpf import marking

    trees = dict(marking.parse(args.views))
    if not trees and len(names) == 1 and (told := marking.from_environment(environ)):
        trees[names[0]] = told
    return trees
