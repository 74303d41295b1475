# SPDX-License-Identifier: GPL-2.0-only
"""Rule programs: rule sources compiled, their subtypes and helper calls checked, ready to be put into a layer.

A compiler tells what no reader of the text can: the values of a subtype, the helpers that a rule calls in the end. It
tells so by small functions (`_probes()`) that return a value or call a rule, in whose instructions both are seen. So
the check is the same with every loader.
"""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from landlock_bpf import abi, errors, questions, rule_calls, rule_outline, rule_renaming, rule_source, rule_subtype, terminal

SUBTYPE_MAX = 256
_PROBE = "landlock_probe"
_WORD = 4
# Before the rule sources; what a layer is loaded with has its own.
_BEFORE = """\
#include "answer.h"

static __always_inline struct inquiry *landlock_inquiry(void)
{
	return 0;
}
"""


class Function(Protocol):
    """A compiled function: its instructions."""

    @property
    def code(self) -> bytes: ...


class Compiler(Protocol):
    """Of a loader, what is needed here: from C text, and files that it includes, to functions by name."""

    def compile(self, text: str, files: Mapping[str, str], what: str) -> Mapping[str, Function]: ...


@dataclasses.dataclass(frozen=True)
class RuleProgram:
    """A rule program: `renamed` is the C function to call, with a struct landlock_context; it gives 0 or 1."""

    source: str
    line: int
    function: str
    event: abi.Event
    ability: int
    renamed: str


@dataclasses.dataclass(frozen=True)
class View:
    """A view of a layer; its number is its place among them, and in the texts already."""

    name: str
    max: int

    @property
    def renamed(self) -> str:
        """Give its name: views are the only thing that the files of a layer share."""
        return self.name


@dataclasses.dataclass(frozen=True)
class RuleLayer:
    """The rule programs of one command: C texts to be compiled together after answer.h, one a file.

    Rules are in the order of their definition, the oldest first; their places are their numbers. A text has `#line`
    directives that lead to the lines of `sources`: path and text of each file as it was read.
    """

    texts: tuple[str, ...]
    rules: tuple[RuleProgram, ...]
    views: tuple[View, ...]
    sources: tuple[tuple[str, str], ...]

    @property
    def events(self) -> frozenset[abi.Event]:
        """Name the events of all rules."""
        return frozenset(rule.event for rule in self.rules)


def compile(files: Sequence[Path], compiler: Compiler) -> RuleLayer:
    """Read rule sources and check them with a compiler; all mistakes of all files are told at once.

    Raises PolicyError, CompileError with the compiler's words at the lines of the sources, and what the compiler raises.
    """
    sources, problems = _read(files)
    if problems:
        raise errors.PolicyError(problems)
    views = _views(sources)
    numbers = {view.name: number for number, view in enumerate(views)}
    texts: list[str] = []
    rules: list[RuleProgram] = []
    refusals: list[tuple[str, str]] = []
    for place, source in enumerate(sources):
        prefix = f"rule{place}_"
        text = rule_renaming.rename(source, prefix, numbers) + "".join(
            _asker(_asker_name(place, rule), rule, prefix, source.path) for rule in source.rules
        )
        try:
            functions = compiler.compile(_BEFORE + text + _probes(source, place, prefix), {}, "a rule source")
        except errors.CompileError as error:
            refusals.append((source.path, rule_renaming.restore(error.words)))
            continue
        found, wrong = _check(source, place, functions)
        texts.append(text)
        rules += found
        problems += wrong
    if refusals:
        paths = " and ".join(dict.fromkeys(path for path, _words in refusals))
        words = [words for _path, words in refusals] + [str(problem) for problem in sorted(problems, key=_position)]
        raise errors.CompileError(f"cannot compile {paths}", "\n".join(words))
    if problems:
        raise errors.PolicyError(sorted(problems, key=_position))
    return RuleLayer(tuple(texts), tuple(rules), views, tuple((source.path, source.text) for source in sources))


def describe(layer: RuleLayer) -> str:
    """Tell a layer in a few lines for a person: each rule with its event and the hooks that ask it, and the views."""
    lines = ["rule programs, the newest last"]
    for rule in layer.rules:
        debug = ", with the helpers for debugging" if rule.ability else ""
        lines.append(f"  {rule.function}  event {rule.event.name}{debug}  ({rule.source}:{rule.line})")
    for event in sorted(layer.events):
        hooks = ", ".join(row.hook for row in questions.asked([event]))
        lines += textwrap.wrap(hooks, 100, initial_indent=f"  {event.name} is asked at ", subsequent_indent="    ")
    for view in layer.views:
        lines.append(f"  view {view.name}  at most {view.max} objects")
    lines.append("  not yet seen by the kernel's verifier: it looks at them when they are loaded, which takes root")
    return "\n".join(map(terminal.shown, lines))


def _read(paths: Sequence[Path]) -> tuple[list[rule_outline.Source], list[errors.Problem]]:
    sources: list[rule_outline.Source] = []
    problems: list[errors.Problem] = []
    for path in paths:
        try:
            sources.append(rule_source.read(path))
        except errors.PolicyError as error:
            problems += error.problems
    rules = [(source, rule) for source in sources for rule in source.rules]
    if len(rules) > abi.Limit.SOURCES:
        source, rule = rules[abi.Limit.SOURCES]
        what = f"{len(rules)} rules; a domain can have {int(abi.Limit.SOURCES)}"
        problems.append(errors.Problem(source.path, rule.line, rule.function, what, "take some out"))
    names = {view.name: (source, view) for source in sources for view in source.views}
    for source, view in list(names.values())[abi.Limit.VIEWS :]:
        what = f"more than {int(abi.Limit.VIEWS)} views in a layer"
        problems.append(errors.Problem(source.path, view.line, view.name, what, "take some out, or make two layers"))
    return sources, problems


def _position(problem: errors.Problem) -> tuple[str, int]:
    return problem.file, problem.line


def _views(sources: Iterable[rule_outline.Source]) -> tuple[View, ...]:
    """Views of all sources; of one name in several it is one, which holds what the largest asks for."""
    largest: dict[str, int] = {}
    for source in sources:
        for view in source.views:
            largest[view.name] = max(view.max, largest.get(view.name, 0))
    return tuple(View(name, maximum) for name, maximum in largest.items())


def _asker_name(place: int, rule: rule_outline.Rule) -> str:
    return f"landlock_rule_{place}_{rule.number}"


def _asker(name: str, rule: rule_outline.Rule, prefix: str, path: str) -> str:
    """Write the function that asks a rule.

    The values pass through empty assembly, of which a compiler knows nothing: what it concludes from undefined
    behaviour in one rule must not reach another.
    """
    return f"""\
{rule_renaming.line(rule.line, path)}static __always_inline int {name}(const struct landlock_context *ctx)
{{
	unsigned long long status = ctx->status, event = ctx->event, arg1 = ctx->arg1, arg2 = ctx->arg2, denied;

	asm volatile("" : "+r"(status), "+r"(event), "+r"(arg1), "+r"(arg2));
	struct {prefix}landlock_context given = {{ status, event, arg1, arg2 }};

{rule_renaming.line(rule.line, path)}	denied = (unsigned int){prefix}{rule.function}(&given);
	asm volatile("" : "+r"(denied));
	return denied != 0;
}}
"""


def _probes(source: rule_outline.Source, place: int, prefix: str) -> str:
    """Write the functions whose instructions tell of the rules and their subtypes."""
    parts: list[str] = []
    for rule, subtype in zip(source.rules, source.subtypes):
        variable, number = f"{prefix}{subtype.variable}", rule.number
        parts.append(f"""\
{rule_renaming.line(rule.line, source.path)}unsigned long long {_PROBE}_rule_{number}(void *ctx)
{{
	unsigned long long event, arg1, arg2;

	asm volatile("" : "=r"(event), "=r"(arg1), "=r"(arg2));
	struct landlock_context given = {{ 0, event, arg1, arg2 }};
	return {_asker_name(place, rule)}(&given);
}}
""")
        words = [
            f"(sizeof({variable}) >= {_WORD * (index + 1)} ? ((const unsigned int *)&{variable})[{index}] : 0)"
            for index in range(SUBTYPE_MAX // _WORD)
        ]
        known = rule_subtype.SIZE // _WORD
        values = {"size": f"sizeof({variable})", "tail": " | ".join(words[known:])}
        values.update((f"word_{index}", word) for index, word in enumerate(words[:known]))
        for what, value in values.items():
            line = rule_renaming.line(subtype.line, source.path)
            parts.append(f"{line}unsigned long long {_PROBE}_{what}_of_{number}(void *ctx)\n{{ return {value}; }}\n")
    return "".join(parts)


def _check(
    source: rule_outline.Source, place: int, functions: Mapping[str, Function]
) -> tuple[list[RuleProgram], list[errors.Problem]]:
    rules: list[RuleProgram] = []
    problems: list[errors.Problem] = []
    told: set[rule_outline.Subtype] = set()
    for rule, subtype in zip(source.rules, source.subtypes):
        known, wrong = _subtype(source, rule, subtype, functions)
        problems += wrong if subtype not in told else []
        told.add(subtype)
        if known is None:
            continue
        problems += rule_calls.check(source, rule, functions[f"{_PROBE}_rule_{rule.number}"].code, debug=known.debug)
        ability = rule_subtype.ABILITY_DEBUG if known.debug else 0
        rules.append(RuleProgram(source.path, rule.line, rule.function, known.event, ability, _asker_name(place, rule)))
    return rules, problems


def _subtype(
    source: rule_outline.Source, rule: rule_outline.Rule, subtype: rule_outline.Subtype, functions: Mapping[str, Function]
) -> tuple[rule_subtype.Subtype | None, list[errors.Problem]]:
    def value(what: str) -> int | None:
        return rule_calls.constant(functions[f"{_PROBE}_{what}_of_{rule.number}"].code)

    def problem(what: str, remedy: str) -> tuple[None, list[errors.Problem]]:
        return None, [errors.Problem(source.path, subtype.line, subtype.variable, what, remedy)]

    size, tail = value("size"), value("tail")
    if size is None or size > SUBTYPE_MAX or size % _WORD:
        return problem(f"is {size} bytes", f"a subtype is {rule_subtype.SIZE}: write union bpf_prog_subtype")
    words = [value(f"word_{index}") for index in range(rule_subtype.SIZE // _WORD)]
    known = [word for word in words if word is not None]
    if tail is None or len(known) < len(words):
        return problem("its value is not known when it is compiled", "write numbers")
    data = b"".join((word & 0xFFFFFFFF).to_bytes(_WORD, "little") for word in known)
    return rule_subtype.check(data, tail=bool(tail), file=source.path, line=subtype.line, variable=subtype.variable)
