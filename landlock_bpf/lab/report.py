# SPDX-License-Identifier: GPL-2.0-only
"""What an experiment showed, as a table for people and as JSON."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import Any

from landlock_bpf import conditions, lab, terminal
from landlock_bpf.lab import escape, guard, runtime, step

FORMAT = "landlock-bpf lab 1"
HEAD = """\
A container made by {runtime}, on Linux {kernel}. The lab, which calls the runtime, has the host's root open as \
descriptor {fd} and has it handed down (--preserve-fds 1); the container's working directory is {workdir}, so its first \
program starts in the host's root. Then it tries, as root with Docker's default capabilities:"""
_FILES = {step.HOST: "the host's files", step.OWN: "its own files, which must stay usable"}


def print_report(experiment: escape.Experiment) -> None:
    """Print the table: with rich to a terminal, else in plain columns."""
    facts = {"runtime": experiment.runtime, "kernel": os.uname().release, "fd": runtime.LEAKED, "workdir": runtime.WORKDIR}
    print(_wrapped(HEAD.format(**facts)))
    print()
    names = list(experiment.outcomes)
    head = ["step", "what is tried", *names]
    if sys.stdout.isatty():
        _print_rich(experiment, head)
    else:
        terminal.print_columns([head, *(_words(experiment, each) for each in step.STEPS)])
    print()
    for each in guard.GUARDS:
        print(_wrapped(f"{each.name}: {each.what}"))
        if each.name in experiment.outcomes:
            print(_wrapped(f"  {_summary(experiment, each.name)}"))


def document(experiment: escape.Experiment) -> dict[str, Any]:
    """Give all that was seen as JSON has it."""
    return {
        **conditions.head(FORMAT),
        "experiment": lab.CONTAINER_ESCAPE,
        "runtime": experiment.runtime,
        "policy": {"name": f"policies/{guard.POLICY}", "text": guard.policy_file().read_text()},
        "mechanisms": [
            {"name": each.name, "what": each.what, "missing": experiment.missing.get(each.name)} for each in guard.GUARDS
        ],
        "steps": [
            {
                "name": each.name,
                "files": each.files,
                "text": each.text,
                "command": each.command,
                "cells": {name: _cell(outcomes[each.name]) for name, outcomes in experiment.outcomes.items()},
            }
            for each in step.STEPS
        ],
        "problems": list(experiment.problems()),
    }


def _cell(outcome: escape.Outcome) -> dict[str, str | None]:
    return {"result": outcome.result, "errno": outcome.errno, "printed": outcome.printed}


def _words(experiment: escape.Experiment, each: step.Step) -> list[str]:
    return [each.name, each.text, *(word(outcomes[each.name]) for outcomes in experiment.outcomes.values())]


def word(outcome: escape.Outcome) -> str:
    """Say in a word what a step came to."""
    if outcome.result == escape.ALLOWED:
        return "done"
    if outcome.result == escape.REFUSED and outcome.errno:
        return outcome.errno
    return f"failed: {outcome.errno or terminal.shown(outcome.printed) or '?'}"


def _summary(experiment: escape.Experiment, name: str) -> str:
    stopped, through = experiment.stopped(name), experiment.let_through(name)
    words = f"stopped {len(stopped)} of {len(stopped) + len(through)} steps on the host's files"
    return f"{words}; let through: {', '.join(each.name for each in through)}" if stopped and through else words


def _wrapped(text: str) -> str:
    return textwrap.fill(text, shutil.get_terminal_size().columns, subsequent_indent="  " if text.startswith(" ") else "")


def _print_rich(experiment: escape.Experiment, head: list[str]) -> None:
    import rich.console  # slow to load, and not needed in a pipe
    import rich.table
    import rich.text

    table = rich.table.Table(*head)
    for files, title in _FILES.items():
        table.add_section()
        table.add_row("", rich.text.Text(title, style="bold"))
        for each in step.STEPS:
            if each.files != files:
                continue
            cells = []
            for outcomes in experiment.outcomes.values():
                good = outcomes[each.name].result == (escape.REFUSED if files == step.HOST else escape.ALLOWED)
                cells.append(rich.text.Text(word(outcomes[each.name]), style="green" if good else "red"))
            table.add_row(each.name, each.text, *cells)
    rich.console.Console().print(table)
