# SPDX-License-Identifier: GPL-2.0-only
"""The command line: the table of subcommands, and the one place where errors are printed and become exit statuses."""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import landlock_bpf
from landlock_bpf import errors, terminal

PROGRAM = "landlock-bpf"
EPILOG = """\
exit status: 0 done, 1 failed, 2 wrong usage; `run` has the command's own, and 125, 126, 127 as env(1).

the first things to try:
  sudo landlock-bpf doctor
  sudo landlock-bpf run --deny ~/.ssh -- ls ~/.ssh
"""


class Subcommand(NamedTuple):
    """A row of the table. Its module of the same name is imported only when it is chosen, as start-up time counts.

    The module has add_arguments(parser), main(args) -> exit status, and as the text of --help its docstring and EXAMPLES.
    """

    name: str
    summary: str
    failure: int = 1  # exit status when it fails by its own fault
    command: bool = False  # whether a command to run follows, after "--"


SUBCOMMANDS = {
    row.name: row
    for row in (
        Subcommand("doctor", "say what this kernel can do, and prove it by a denial"),
        Subcommand("check", "find the mistakes of policy files; nothing is enforced"),
        Subcommand("convert", "write a policy in another form, and list what that cannot say"),
        Subcommand("diff", "say what changes from one policy to another", failure=2),
        Subcommand("run", "run a command under policies", failure=125, command=True),
        Subcommand("attach", "put policies in force on a cgroup"),
        Subcommand("confine", "put a running process under policies"),
        Subcommand("update", "replace the policies of a domain, without a gap"),
        Subcommand("rule", "add a rule to a domain, or remove one"),
        Subcommand("detach", "end a domain"),
        Subcommand("list", "list the domains in force"),
        Subcommand("show", "show a domain: its layers, rules and hooks"),
        Subcommand("why", "say why an access is allowed or denied, and by which rule", failure=2),
        Subcommand("learn", "run a command, and write the policy that it needs", failure=125, command=True),
        Subcommand("events", "print denials as they happen"),
        Subcommand("unload", "end all domains and take the engine out of the kernel"),
        Subcommand("compare", "try all operations under each mechanism, and tell where they differ"),
        Subcommand("bench", "measure what this engine, the landlock syscalls and others cost"),
        Subcommand("lab", "try a known way of breaking out, under each mechanism"),
    )
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; wrong usage and --help raise SystemExit, as argparse does."""
    with contextlib.suppress(OSError):
        _open_missing_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr is: names are others', and may fit into no encoding
    words = sys.argv[1:] if argv is None else [*argv]  # once cli/list.py is imported, `list` is that here
    row = SUBCOMMANDS.get(words[0]) if words else None
    failure = row.failure if row else 1
    try:
        status = _run(row, words)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader has seen enough
        _discard_output()
        return failure
    except errors.Error as error:
        complain_at_length(str(error))
        return getattr(error, "status", failure)
    except OSError as error:
        complain(_words(error))
        return failure
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def complain(message: str) -> None:
    """Print a message of one line to stderr, as the program's: a newline in it is of a name."""
    print(f"{PROGRAM}: {terminal.shown(message)}", file=sys.stderr)


def complain_at_length(message: str) -> None:
    """Print each line of a message."""
    for line in message.removesuffix("\n").split("\n"):  # names may have the other ends of lines that splitlines() knows
        complain(line)


def require_root() -> None:
    """Raise PrivilegeError, with the command to type instead, unless this is root."""
    if os.geteuid():
        import shlex

        program = sys.argv[0] if os.path.basename(sys.argv[0]) == PROGRAM else PROGRAM
        raise errors.PrivilegeError(f"this needs root: {shlex.join(['sudo', program, *sys.argv[1:]])}")


def _run(row: Subcommand | None, words: Sequence[str]) -> int:
    try:
        if not row:
            return _without_subcommand(words)
        module = importlib.import_module(f"{__name__}.{row.name}")
        return int(module.main(_parse(row, module, words[1:])))
    except SystemExit:
        sys.stdout.flush()  # --help: where that fails, the caller says so
        raise


def _open_missing_streams() -> None:
    """Open /dev/null for what was closed of stdin, stdout and stderr.

    Else files of ours would get these numbers, and what is printed would fail, or go to stdout instead. For a command that
    is run they are closed as they were: Python opens all files so that an execve() closes them.
    """
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (null := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(null)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _words(error: OSError) -> str:
    """Put into words what the kernel refused, if nothing below has: what it was about first."""
    if error.errno is None or error.filename is None:
        return str(error)
    return f"{error.filename}: {os.strerror(error.errno)} ({errno.errorcode.get(error.errno, error.errno)})"


def _without_subcommand(words: Sequence[str]) -> int:
    width = max(map(len, SUBCOMMANDS))
    rows = "\n".join(f"  {row.name:{width}}  {row.summary}" for row in SUBCOMMANDS.values())
    parser = argparse.ArgumentParser(
        PROGRAM,
        usage="%(prog)s [-h] [--version] SUBCOMMAND ...",
        description=f"{landlock_bpf.__doc__}\n\nsubcommands:\n{rows}\n\n`{PROGRAM} SUBCOMMAND --help` tells more.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {landlock_bpf.__version__}")
    parser.add_argument("subcommand", metavar="SUBCOMMAND", choices=tuple(SUBCOMMANDS), help=argparse.SUPPRESS)
    parser.parse_args(words)
    raise AssertionError("argparse took a subcommand that the table lacks")


def _parse(row: Subcommand, module: ModuleType, words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        f"{PROGRAM} {row.name}",
        description=module.__doc__,
        epilog=module.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # an abbreviation would change its meaning when an option is added
    )
    parser.set_defaults(parser=parser)
    module.add_arguments(parser)
    if not row.command:
        return parser.parse_args(words)
    # argparse's treatment of "--" before a REMAINDER differs between Python's versions: part at the first one ourselves.
    at = words.index("--") if "--" in words else len(words)
    args = parser.parse_args(words[:at])
    args.command += words[at:] if args.command else words[at + 1 :]
    if not args.command:
        parser.error("a COMMAND is needed")
    return args


def _discard_output() -> None:
    """Point stdout at nothing, so that Python's last flush does not complain of the closed pipe again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
