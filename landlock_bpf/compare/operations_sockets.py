# SPDX-License-Identifier: GPL-2.0-only
"""Operations on sockets: those with a path, with an abstract name, and of the network."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from landlock_bpf.compare.operation import UNSAID, WRITE, Table
from landlock_bpf.compare.scene import BESIDE, ELSEWHERE, INSIDE, Scene

if TYPE_CHECKING:
    from landlock_bpf.compare.stage import Stage

TABLE = Table("sockets")
_HOST = "127.0.0.1"
_PATH = "A socket's file is not opened: Landlock has a right for it since ABI 9, TOMOYO and our policies on every kernel."
_ABSTRACT = "It has a name and no path; Landlock has a scope for it since ABI 6, a network namespace is another world."
_TCP = "Landlock has rights for TCP ports since ABI 4, and for UDP on newer kernels; policies on files say nothing of ports."


@contextlib.contextmanager
def _listening(folder: Path, _outside: Stage) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "listening"))
        made.listen()
        yield


@contextlib.contextmanager
def _receiving(folder: Path, _outside: Stage) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(folder / "listening"))
        yield


@TABLE.at(INSIDE, BESIDE, need=WRITE, prepare=_listening, why=_PATH)
def connect_by_path(folder: Path, _scene: Scene) -> None:
    """connect(2) to a process outside by a path."""
    with socket.socket(socket.AF_UNIX) as made:
        made.connect(str(folder / "listening"))


@TABLE.at(INSIDE, need=WRITE, prepare=_receiving, why=_PATH)
def send_by_path(folder: Path, _scene: Scene) -> None:
    """sendto(2) a process outside by a path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.sendto(b"x", str(folder / "listening"))


@TABLE.at(ELSEWHERE, need=UNSAID, why=_ABSTRACT)
def connect_abstract(_folder: Path, scene: Scene) -> None:
    """connect(2) to a process outside by an abstract name."""
    with socket.socket(socket.AF_UNIX) as made:
        made.connect(f"\0{scene.abstract}")


@TABLE.at(ELSEWHERE, need=UNSAID, why=_ABSTRACT)
def send_abstract(_folder: Path, scene: Scene) -> None:
    """sendto(2) a process outside by an abstract name."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.settimeout(1)
        made.sendto(b"x", f"\0{scene.abstract}-packets")


@TABLE.at(ELSEWHERE, need=UNSAID, why=_TCP)
def tcp_bind(_folder: Path, _scene: Scene) -> None:
    """bind(2) a TCP socket to a port."""
    with socket.socket() as made:
        made.bind((_HOST, 0))


@TABLE.at(ELSEWHERE, need=UNSAID, why=_TCP)
def tcp_connect(_folder: Path, scene: Scene) -> None:
    """connect(2) a TCP socket to a process outside."""
    with socket.create_connection((_HOST, scene.tcp), timeout=5):
        pass


@TABLE.at(ELSEWHERE, need=UNSAID, why=_TCP)
def udp_bind(_folder: Path, _scene: Scene) -> None:
    """bind(2) a UDP socket to a port."""
    with socket.socket(type=socket.SOCK_DGRAM) as made:
        made.bind((_HOST, 0))


@TABLE.at(ELSEWHERE, need=UNSAID, why=_TCP)
def udp_connect(_folder: Path, scene: Scene) -> None:
    """connect(2) a UDP socket and send through it."""
    with socket.socket(type=socket.SOCK_DGRAM) as made:
        made.connect((_HOST, scene.udp))
        made.send(b"x")


@TABLE.at(ELSEWHERE, need=UNSAID, why=_TCP)
def udp_send(_folder: Path, scene: Scene) -> None:
    """sendto(2) through a UDP socket that is not connected."""
    with socket.socket(type=socket.SOCK_DGRAM) as made:
        made.sendto(b"x", (_HOST, scene.udp))


@TABLE.at(ELSEWHERE, need=UNSAID, why="It takes CAP_NET_RAW; rights on ports do not speak of packets without any.")
def raw_socket(_folder: Path, _scene: Scene) -> None:
    """socket(2) of raw ICMP packets."""
    socket.socket(type=socket.SOCK_RAW, proto=socket.IPPROTO_ICMP).close()
