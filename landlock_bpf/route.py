# SPDX-License-Identifier: GPL-2.0-only
"""The routes that paths take: every directory and symbolic link from the root to an object, each open and named."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import stat
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType

from landlock_bpf import errors, identity

# As the kernel's own walk (fs/namei.c, MAXSYMLINKS).
_LINKS = 40
_FLAGS = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
Identify = Callable[[Iterable[int]], identity.Names]


class Node:
    """A place on a route; `fd` is an O_PATH descriptor (-1: closed again), `target` that of a symbolic link."""

    __slots__ = ("children", "fd", "mode", "named", "parent", "target")

    def __init__(self, fd: int, parent: Node | None) -> None:
        self.fd = fd
        self.parent = parent or self
        self.children: dict[str, Node] | None = None  # of a directory that more was walked from
        self.named: identity.Named | None = None
        self.mode: int | None = None
        self.target: str | None = None


class MissingError(FileNotFoundError):
    """The kernel's own error, and how far one gets: `way` ends with a directory, in which the first of `names` is missing."""

    def __init__(self, cause: FileNotFoundError, way: list[Node], names: list[str]) -> None:
        super().__init__(cause.errno, cause.strerror)
        self.way = way
        self.names = names


class Routes:
    """A tree of open places, in which each is opened once however many paths lead through it; a context manager.

    Whether the last place of a path is a symbolic link is only known once it has been named: find() a path, name() all,
    and find() again those that were.
    """

    def __init__(self, identify: Identify) -> None:
        self._identify = identify
        self._folders: dict[str, list[Node]] = {}
        self._fresh: list[Node] = []
        self._open: set[Node] = set()
        self._stack = contextlib.ExitStack()
        self._stack.callback(self._close)
        self.root = self._node(os.open("/", os.O_PATH | os.O_CLOEXEC), None)

    def __enter__(self) -> Routes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def find(self, path: str) -> list[Node]:
        """Walk an absolute path and give the places on its way, the root left out unless it is the object, which is last.

        Raises OSError where the kernel's own walk would; MissingError where nothing has such a name, and no name that is
        left is "..".
        """
        folder, _, last = path.rpartition("/")
        if last in ("", ".", ".."):
            return self._walk(path)
        try:
            known = self._folder(folder)
        except MissingError as error:
            error.names.append(last)
            raise
        parent = known[-1]
        child = parent.children.get(last) if parent.children else None
        if child is None:
            try:
                child = self._enter(parent, last, _FLAGS)
            except FileNotFoundError as error:
                raise MissingError(error, known, [last]) from error
        if child.target is not None:
            return self._walk(path)
        return [*(known[:-1] if parent is self.root else known), child]

    @contextlib.contextmanager
    def opened(self, folder: str, names: Iterable[str]) -> Iterator[list[int]]:
        """Open what a folder has under some names, while the block runs; OSError where one cannot be."""
        at, enter, flags = self._folder(folder)[-1].fd, os.open, _FLAGS
        fds: list[int] = []
        try:
            for name in names:
                fds.append(enter(name, flags, dir_fd=at))
            yield fds
        finally:
            _close(fds)

    def _folder(self, path: str) -> list[Node]:
        """Walk to a folder: of many paths in one, once."""
        known = self._folders.get(path)
        if known is None:
            known = self._folders[path] = self._walk(path, through=True)
        return known

    def _walk(self, path: str, *, through: bool = False) -> list[Node]:
        """Walk a path; with `through` to a directory that more is to be walked from."""
        names = _split(path)
        way: list[Node] = []
        node, links = self.root, 0
        while names:
            name = names.pop()
            if name == "..":
                node = node.parent
                continue
            child = node.children.get(name) if node.children else None
            if child is None:
                try:
                    child = self._pass(node, name) if names or through else self._enter(node, name, _FLAGS)
                except FileNotFoundError as error:
                    if ".." in names:
                        raise
                    raise MissingError(error, _ending(way, node), [name, *reversed(names)]) from error
            way.append(child)
            if child.mode is None and (names or through):
                self._look(child)
            if child.target is None:
                if (names or through) and not stat.S_ISDIR(child.mode or 0):
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
                node = child
                continue
            links += 1
            if links > _LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            names += _split(child.target)
            if child.target.startswith("/"):
                node = self.root
        return _ending(way, node)

    def name(self) -> list[Node]:
        """Have the kernel name all places that have no name yet, and give them. Links learn their target."""
        fresh, self._fresh = self._fresh, []
        found = self._identify([node.fd for node in fresh])
        for node in fresh:
            node.named = named = found[node.fd]
            node.mode = named.mode
            if stat.S_ISLNK(named.mode) and node.target is None:
                node.target = os.readlink("", dir_fd=node.fd)
        return fresh

    def drop(self, nodes: Iterable[Node]) -> None:
        """Close those of some named places through which no path can lead."""
        for node in nodes:
            if not stat.S_ISDIR(node.mode or 0):
                os.close(node.fd)
                self._open.remove(node)
                node.fd = -1

    def _pass(self, node: Node, name: str) -> Node:
        """Open what a directory has under a name in the middle of a path."""
        # With O_DIRECTORY, an automount on the way is mounted.
        with contextlib.suppress(NotADirectoryError):
            child = self._enter(node, name, _FLAGS | os.O_DIRECTORY)
            child.mode = stat.S_IFDIR
            return child
        return self._enter(node, name, _FLAGS)

    def _enter(self, node: Node, name: str, flags: int) -> Node:
        """Open what a directory has under a name."""
        child = self._node(os.open(name, flags, dir_fd=node.fd), node)
        if node.children is None:
            node.children = {}
        node.children[name] = child
        return child

    def _look(self, node: Node) -> None:
        """Learn whether a place in the middle of a path is a directory or a link."""
        node.mode = os.fstat(node.fd).st_mode
        if stat.S_ISLNK(node.mode):
            node.target = os.readlink("", dir_fd=node.fd)

    def _node(self, fd: int, parent: Node | None) -> Node:
        node = Node(fd, parent)
        self._fresh.append(node)
        self._open.add(node)
        return node

    def _close(self) -> None:
        for node in self._open:
            os.close(node.fd)
            node.fd = -1
        self._open.clear()


@contextlib.contextmanager
def many_descriptors() -> Iterator[None]:
    """Let this process open as many descriptors as it may while the block runs; LimitError where those are too few."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open("/proc/sys/fs/nr_open", "rb") as setting:
        most = int(setting.read())
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (ValueError, PermissionError):  # a container may refuse root this
        most = limits[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        yield
    except OSError as cause:
        if cause.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        what = f"a policy leads through more directories than there may be open files ({most})"
        raise errors.LimitError(f"{what}; raise `ulimit -Hn`") from cause
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def _close(fds: list[int]) -> None:
    """Close descriptors: mostly they follow one another, and then in one call."""
    fds.sort()
    while fds and fds[-1] - fds[0] != len(fds) - 1:
        os.close(fds.pop(0))  # others, not of this list, are among those after it
    if fds:
        os.closerange(fds[0], fds[-1] + 1)


def _ending(way: list[Node], node: Node) -> list[Node]:
    """Have a way end where it leads: after a link to "." or "/", or a "..", that is not what was entered last."""
    return way if way and way[-1] is node else [*way, node]


def _split(path: str) -> list[str]:
    """Split a path into names, the last one first."""
    return [name for name in reversed(path.split("/")) if name and name != "."]
