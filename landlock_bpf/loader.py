# SPDX-License-Identifier: GPL-2.0-only
"""The loaders of rule programs: two ways from a layer's texts to programs in the kernel, behind one interface."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from landlock_bpf import abi, bpf, btf, compiler, elf, errors, questions, ruleset, template

if TYPE_CHECKING:
    from landlock_bpf import engine

LIBBPF, BCC = "libbpf", "bcc"
NAMES = (LIBBPF, BCC)
ATTACH_TYPES = {ruleset.ENGINE: bpf.AttachType.LSM_MAC, ruleset.LSM_CGROUP: bpf.AttachType.LSM_CGROUP}
TEMPLATES = {ruleset.ENGINE: "rule.bpf.c.j2", ruleset.LSM_CGROUP: "rule_cgroup.bpf.c.j2"}
PROGRAM = "lsm__"  # what the name of a program in the templates begins with; its hook's name follows
# The kernel's structs that questions of rule_cgroup.bpf.c.j2 look into: struct to (C type, member).
STRUCTS = {
    "inode": (("unsigned short", "i_mode"),),
    "file": (("struct inode *", "f_inode"),),
    "io_uring_cmd": (("struct file *", "file"), ("unsigned int", "cmd_op")),
}


class Rule(Protocol):
    """A rule program as the templates take it: the C function, under its name in the common text, and its event."""

    @property
    def renamed(self) -> str: ...
    @property
    def event(self) -> int: ...


class Layer(Protocol):
    """The rule programs of a layer, checked: texts to compile, and the paths and texts of the sources that they come from."""

    @property
    def texts(self) -> Sequence[str]: ...
    @property
    def rules(self) -> Sequence[Rule]: ...
    @property
    def sources(self) -> Sequence[tuple[str, str]]: ...


class Loader(Protocol):
    """From C to the kernel."""

    name: str

    def compile(self, text: str, files: Mapping[str, str], what: str) -> dict[str, elf.Function]:
        """Compile a text, with others by the names under which it includes them, and give its functions, unloaded.

        Raises CompileError with the compiler's words, in which `what` names the text, and UnsupportedError.
        """

    def load(self, layer: Layer, attach: str, live: engine.Engine) -> dict[abi.Hook, int]:
        """Load one program for each hook that the layer's rules are asked at and this kernel has; the caller closes them.

        `attach` is ruleset.ENGINE or ruleset.LSM_CGROUP. Raises VerifierError at the line of the rule's own source.
        """


def choose(name: str) -> Loader:
    """Give the loader of that name; UnsupportedError where this machine lacks what it takes."""
    if name == BCC:
        from landlock_bpf import loader_bcc

        return loader_bcc.Loader()
    if name == LIBBPF:
        from landlock_bpf import loader_libbpf

        return loader_libbpf.Loader()
    raise errors.NotFoundError(f"no loader is called {name}; there are {' and '.join(NAMES)}")


def rows(layer: Layer) -> tuple[questions.Row, ...]:
    """Name the hooks that the layer's rules are asked at, those of other kernels too."""
    return questions.asked(abi.Event(rule.event) for rule in layer.rules)


@dataclasses.dataclass(frozen=True)
class _Member:
    """A member of a kernel struct; `gap` is how many bytes come before it and after the one before."""

    type: str
    name: str
    gap: int


def render(
    layer: Layer,
    attach: str,
    *,
    hooks: Sequence[questions.Row] = (),
    maps: Mapping[str, int] | None = None,
    offsets: Mapping[str, Sequence[int]] | None = None,
) -> tuple[str, dict[str, str]]:
    """Render the C text of a layer, with a program for each hook, or only some, and the files that it includes.

    For bcc, `maps` says by which numbers the text refers to maps, and `offsets` where the members of STRUCTS are.
    """
    texts = {f"rule{number}.c": text for number, text in enumerate(layer.texts)}
    text = template.render(
        compiler.source_dir() / TEMPLATES[attach],
        bcc=maps is not None,
        maps=maps,
        events=sorted({rule.event for rule in layer.rules}),
        rows=hooks or rows(layer),
        rules=[{"number": n, "event": rule.event, "renamed": rule.renamed} for n, rule in enumerate(layer.rules)],
        sources=list(texts),
        structs={name: _members(members, (offsets or {}).get(name)) for name, members in STRUCTS.items()},
    )
    return text, texts


def present(layer: Layer) -> list[questions.Row]:
    """Leave out the hooks that this kernel has not: the kernel says so, for one that ought to be asked must not go missing."""
    with btf.Btf.vmlinux() as vmlinux:
        return [row for row in rows(layer) if vmlinux.hook_args(row.hook) is not None]


def _members(members: Iterable[tuple[str, str]], offsets: Sequence[int] | None) -> tuple[_Member, ...]:
    found, end = [], 0
    sizes = {"unsigned short": 2, "unsigned int": 4}
    for number, (kind, name) in enumerate(members):
        offset = offsets[number] if offsets else end
        found.append(_Member(kind, name, offset - end))
        end = offset + sizes.get(kind, 8)
    return tuple(found)
