# SPDX-License-Identifier: GPL-2.0-only
"""The generator of abi.py from bpf/abi.h, through the BTF that clang makes of it: `python -m landlock_bpf.abigen`."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from landlock_bpf import btf, compiler, errors

COMMAND = "python -m landlock_bpf.abigen"
ABI_PY = Path(__file__).with_name("abi.py")

# Which enums give the bit numbers of a flag set cannot be told from C.
FLAG_SETS = ("action", "action_fs")

_HEADER = f'''# SPDX-License-Identifier: GPL-2.0-only
"""Numbers and records shared with the engine. Generated from bpf/abi.h by `{COMMAND}`: do not edit."""

from __future__ import annotations

import ctypes
import enum
'''
# The types that abi.h defines, in its order. Types of other headers are none of our business.
_DEFINITION = re.compile(r"^(enum|struct|union) (\w+) \{", re.MULTILINE)
# The kernel's names of its integers, as kernel.h has them for programs.
_TYPES = """
typedef unsigned char __u8; typedef unsigned short __u16; typedef unsigned int __u32; typedef unsigned long long __u64;
typedef signed char __s8; typedef short __s16; typedef int __s32; typedef long long __s64;
"""
_INTEGERS = {(1, False): "c_uint8", (1, True): "c_int8", (2, False): "c_uint16", (2, True): "c_int16"}
_INTEGERS |= {(4, False): "c_uint32", (4, True): "c_int32", (8, False): "c_uint64", (8, True): "c_int64"}


def generate(header: Path) -> str:
    """Give the text of abi.py for an abi.h; CompileError where it does not compile or has an unnamed hole."""
    definitions = _DEFINITION.findall(header.read_text())
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder, "abi.o")
        # A type that nothing refers to never reaches BTF: one global pointer for each.
        source = f'{_TYPES}#include "{header.name}"\n'
        source += "".join(f"{kind} {name} *{kind}_{name};\n" for kind, name in definitions)
        compiler.compile_source(source, compiled, include=(header.parent,))
        with btf.Btf.elf(compiled) as types:
            bodies = [_enum(types, name) if kind == "enum" else _record(types, kind, name) for kind, name in definitions]
    records = "".join(f'    "{name}": {class_name(name)},\n' for kind, name in definitions if kind != "enum")
    bodies.append(f"# By the names that they have in C.\nRECORDS = {{\n{records}}}\n")
    return _HEADER + "\n\n" + "\n\n".join(bodies)


def class_name(name: str) -> str:
    """Turn a C name into that of its class: fsview_key into FsviewKey."""
    return "".join(part.capitalize() for part in name.split("_"))


def _enum(types: btf.Btf, name: str) -> str:
    type_id = types.find(name, btf.Kind.ENUM, btf.Kind.ENUM64)
    assert type_id is not None, name
    flags = name in FLAG_SETS
    lines = [f"class {class_name(name)}(enum.{'IntFlag' if flags else 'IntEnum'}):", f'    """enum {name}."""', ""]
    for enumerator, value in types.enumerators(type_id).items():
        if not 0 <= value < 1 << 31:
            # clang before 15 does not tell a negative one from one with the highest bit, and makes 64 bits a 0.
            raise errors.CompileError(f"enum {name}, {enumerator}: BTF keeps for sure only what fits 31 bits; give bit numbers")
        member = enumerator.removeprefix(f"{name.upper()}_")
        lines.append(f"    {member} = {f'1 << {value}' if flags else value}")
    return "\n".join(lines) + "\n"


def _record(types: btf.Btf, kind: str, name: str) -> str:
    type_id = types.find(name, btf.Kind.STRUCT if kind == "struct" else btf.Kind.UNION)
    assert type_id is not None, name
    base = "Structure" if kind == "struct" else "Union"
    lines = [f"class {class_name(name)}(ctypes.{base}):", f'    """{kind} {name}: {types.size(type_id)} bytes."""', ""]
    lines.append("    _fields_ = [")
    end = 0
    for member in types.members(type_id):
        where = f"{kind} {name}, {member.name or 'an anonymous member'}"
        offset = member.bit_offset // 8
        if not member.name or member.bit_width or member.bit_offset % 8:
            raise errors.CompileError(f"{where}: shared members have a name and are no bit fields")
        if kind == "struct" and offset != end:
            raise errors.CompileError(f"{where}: {offset - end} bytes of padding before it; name them")
        text, size = _ctype(types, member.type_id, where)
        lines.append(f'        ("{member.name}", {text}),')
        end = max(end, offset + size)
    if end != types.size(type_id):
        raise errors.CompileError(f"{kind} {name}: {types.size(type_id) - end} bytes of padding at its end; name them")
    return "\n".join([*lines, "    ]"]) + "\n"


def _ctype(types: btf.Btf, type_id: int, where: str) -> tuple[str, int]:
    """Give the ctypes expression of a type, and its size in bytes."""
    type_id = types.resolve(type_id)
    kind = types.kind(type_id)
    if kind == btf.Kind.ARRAY:
        element, count = types.array(type_id)
        text, size = _ctype(types, element, where)
        return f"{text} * {count}", size * count
    size = types.size(type_id)
    if kind == btf.Kind.INT:
        # char, and nothing else of one byte, holds text.
        return "ctypes." + ("c_char" if types.name(type_id) == "char" else _INTEGERS[size, types.signed(type_id)]), size
    if kind in (btf.Kind.STRUCT, btf.Kind.UNION) and types.name(type_id):
        return class_name(types.name(type_id)), size
    raise errors.CompileError(f"{where}: a pointer, enum or anonymous type has no fixed layout for user space")


def main() -> None:
    """Write abi.py anew."""
    text = generate(compiler.source_dir() / "abi.h")
    ABI_PY.write_text(text)
    print(f"{ABI_PY}: {len(text.splitlines())} lines", file=sys.stderr)


if __name__ == "__main__":
    main()
