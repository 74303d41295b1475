# SPDX-License-Identifier: GPL-2.0-only
"""The functions in an object file of clang, as bytes: what a program calls is seen before anything is loaded."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator
from typing import NamedTuple

_SYMTAB, _REL = 2, 9  # sh_type
_FUNC, _SECTION = 2, 3  # type of a symbol
_CALL, _PSEUDO_CALL = 0x85, 1  # opcode and source register of a call within the object
_INSTRUCTION = struct.Struct("=BBhi")


@dataclasses.dataclass(frozen=True)
class Function:
    """A function: its instructions, and the names of those in the same object that it calls."""

    code: bytes
    calls: frozenset[str] = frozenset()


class _Section(NamedTuple):
    """A row of the table of sections (Elf64_Shdr), with what it holds."""

    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    step: int


class _Symbol(NamedTuple):
    """A symbol (Elf64_Sym)."""

    name: int
    info: int
    other: int
    section: int
    value: int
    size: int


_HEADER = struct.Struct("=16sHHIQQQIHHHHHH")
_SHDR, _SYM, _RELOCATION = struct.Struct("=IIQQQQIIQQ"), struct.Struct("=IBBHQQ"), struct.Struct("=QQ")


def functions(image: bytes) -> dict[str, Function]:
    """Take a relocatable object of this machine's byte order apart; local functions count too."""
    header = _HEADER.unpack_from(image)
    offset, count = header[6], header[12]
    sections = [_Section(*_SHDR.unpack_from(image, offset + number * _SHDR.size)) for number in range(count)]
    table = next(section for section in sections if section.kind == _SYMTAB)
    names = _content(image, sections[table.link])
    symbols = [_Symbol(*fields) for fields in _SYM.iter_unpack(_content(image, table))]
    # Where each function begins, to its name: clang relocates calls of local ones against their section.
    starts = {(each.section, each.value): _string(names, each.name) for each in symbols if each.info & 0xF == _FUNC}
    calls: dict[tuple[int, int], tuple[int, int]] = {}
    for section in sections:
        if section.kind == _REL:
            for place, info in _RELOCATION.iter_unpack(_content(image, section)):
                symbol = symbols[info >> 32]
                calls[section.info, place] = (symbol.section, symbol.value if symbol.info & 0xF == _FUNC else -1)
    found = {}
    for symbol in symbols:
        if symbol.info & 0xF == _FUNC and 0 < symbol.section < count:
            code = _content(image, sections[symbol.section])[symbol.value : symbol.value + symbol.size]
            # What is not in the object has no name here.
            called = frozenset(starts.get(target, "") for target in _calls(code, symbol, calls))
            found[_string(names, symbol.name)] = Function(code, called)
    return found


def _calls(code: bytes, function: _Symbol, relocated: dict[tuple[int, int], tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Say which functions a function calls: section and place of each."""
    for offset in range(0, len(code), _INSTRUCTION.size):
        opcode, registers, _offset, immediate = _INSTRUCTION.unpack_from(code, offset)
        if opcode == _CALL and registers >> 4 == _PSEUDO_CALL:
            place = function.value + offset
            section, value = relocated.get((function.section, place), (function.section, -2))
            if value == -1:  # against a section: from its beginning
                value = (immediate + 1) * _INSTRUCTION.size
            elif value == -2:  # in the same section: from the next instruction
                value = place + (immediate + 1) * _INSTRUCTION.size
            yield section, value


def _content(image: bytes, section: _Section) -> bytes:
    return image[section.offset : section.offset + section.size]


def _string(table: bytes, offset: int) -> str:
    return table[offset : table.index(b"\0", offset)].decode()
