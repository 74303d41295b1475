# SPDX-License-Identifier: GPL-2.0-only
"""Show a domain: what it is tied to, each layer with its rules, and the hooks that are attached for it."""

from __future__ import annotations

import argparse

from landlock_bpf import abi, action_table, cli, controller, inventory, marking, policy_actions, ruleset, terminal
from landlock_bpf.cli import output

EXAMPLES = """\
example:
  sudo landlock-bpf show workshop
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of the domain")
    output.add_arguments(parser)


def main(args: argparse.Namespace) -> int:
    cli.require_root()
    with controller.Controller.open() as live:
        detail = live.show(args.name)
    if args.json:
        output.print_json(detail)
    else:
        _print(detail)
    return 0


def _print(detail: inventory.DomainDetail) -> None:
    info = detail.info
    facts = [
        ("domain", info.name),
        ("kind", info.kind.name.lower()),
        ("processes", info.tasks),
        ("handled", _actions(detail.handled)),
        ("lost", f"{detail.lost} denials were not reported"),
    ]
    if info.cgroup or info.kind == abi.Kind.CGROUP or not info.maker:
        facts.insert(2, ("cgroup", info.cgroup or "(removed)"))
    if info.maker:
        facts.append(("maker" if info.cgroup else "confined", f"process {info.maker}"))
    if detail.sticky:
        facts.append(("sticky", "its members stay in it wherever they are moved"))
    if detail.parent:
        facts.append(("inside", detail.parent))
    terminal.print_columns(facts)
    for number, layer in enumerate(detail.policies):
        whose = "" if layer.owner == info.name else f", of the domain {layer.owner}"
        print("\n" + terminal.shown(f"layer {number}  {layer.policy} ({layer.source}){whose}"))
        if layer.programs:
            _print_programs(layer.programs)
            continue
        mode = "; permissive: what it would deny is reported alone" if layer.permissive else ""
        print(f"  handles {_actions(layer.handled)}; default {layer.default}{mode}")
        for note in layer.notes:
            print(terminal.shown(f"  not covered: {note}"))
        for rule in layer.rules:
            ended = "  ended with its filesystem" if rule.ended else ""
            print(terminal.shown(f"  {rule.path}  {_says(rule)}  ({rule.file}:{rule.line}){ended}"))
    print("\nhooks attached")
    terminal.print_columns([(f"  {hook.name}", hook.why or "(for other domains)") for hook in detail.hooks])


def _print_programs(programs: inventory.ProgramsInfo) -> None:
    print(f"  asked at {len(programs.hooks)} hooks through {programs.attach} ({programs.why}); loaded by {programs.loader}")
    if programs.attach == ruleset.LSM_CGROUP:
        print(f"  linked at {', '.join(programs.hooks)}; denials are not in `events`")
    # The newest is asked first.
    for rule in reversed(programs.rules):
        debug = ", may debug" if rule.debug else ""
        print(terminal.shown(f"  {rule.function}  event {rule.event.name}{debug}  ({rule.file}:{rule.line})"))
    names = {number: name for name, number in marking.MARKS.items()}
    for view in programs.views:
        print(terminal.shown(f"  view {view.name}  {len(view.marks)} of {view.most} marks"))
        for mark in view.marks:
            ended = "  ended with its filesystem" if mark.ended else ""
            print(terminal.shown(f"    {names.get(mark.mark, mark.mark)}  {mark.path}{ended}"))


def _says(rule: inventory.RuleInfo) -> str:
    said = (("allow", rule.allowed), ("deny", rule.denied))
    return "; ".join(f"{verb} {_actions(actions, rule.commands)}" for verb, actions in said if actions) or "nothing"


def _actions(actions: abi.Action, commands: tuple[int, ...] = ()) -> str:
    return "all" if actions == action_table.ALL and not commands else policy_actions.listed(actions, commands)
