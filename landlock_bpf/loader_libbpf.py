# SPDX-License-Identifier: GPL-2.0-only
"""The loader libbpf: rule programs compiled by clang, once for all kernels, and loaded by libbpf."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from landlock_bpf import abi, compiler, elf, errors, loader, program, ruleset, verifier

if TYPE_CHECKING:
    from landlock_bpf import engine


class Loader:
    """See loader.Loader."""

    name = loader.LIBBPF

    def __init__(self) -> None:
        self.checked: list[Path] = []  # what was compiled to be checked

    def compile(self, text: str, files: Mapping[str, str], what: str) -> dict[str, elf.Function]:
        self.checked.append(_compiled(text, files, what))
        return elf.functions(self.checked[-1].read_bytes())

    def load(self, layer: loader.Layer, attach: str, live: engine.Engine) -> dict[abi.Hook, int]:
        compiled = compile_layer(layer, attach)
        hooks = loader.present(layer)
        with program.Object.open_file(compiled) as opened, contextlib.ExitStack() as undo:
            opened.skip(set(opened.program_names()) - {loader.PROGRAM + row.hook for row in hooks})
            if attach == ruleset.ENGINE:
                opened.reuse("rooms", live.rooms.fd)
                for row in hooks:
                    opened.reuse(f"rules_{row.hook}", live.rules(row.hook).fd)
            try:
                opened.load()
            except errors.VerifierError as cause:
                raise verifier.refusal(cause.log, "this rule", dict(layer.sources)) from cause
            descriptors = {}
            for row in hooks:
                fd = os.dup(opened.program(loader.PROGRAM + row.hook))
                undo.callback(os.close, fd)
                descriptors[row.number] = fd
            undo.pop_all()
            return descriptors


def compile_layer(layer: loader.Layer, attach: str) -> Path:
    """Compile the rule programs of a layer, or find them compiled before, and give the object file's path."""
    text, files = loader.render(layer, attach)
    return _compiled(text, files, "the rules of a layer")


def _compiled(text: str, files: Mapping[str, str], what: str) -> Path:
    clang = compiler.find_clang()

    def make(path: Path) -> None:
        try:
            compiler.compile_source(text, path, include=(compiler.source_dir(),), files=files)
        except errors.CompileError as cause:
            raise errors.CompileError(f"{clang} refuses {what}", cause.words) from cause

    parts = (loader.LIBBPF, *map(str, compiler.FLAGS), compiler.clang_version(clang), text)
    contents = (part for item in sorted(files.items()) for part in item)
    return compiler.find_compiled("rule-libbpf", (*parts, *contents), make)
