# SPDX-License-Identifier: GPL-2.0-only
"""The layout of btrfs' and overlayfs' own structs in this kernel, from BTF: what the engine needs to name their objects."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from landlock_bpf import abi, btf


def read() -> abi.Layout:
    """Read the layout of each of the two filesystems that is in this kernel now, built in or as a module."""
    layout = abi.Layout()
    with btf.Btf.vmlinux() as vmlinux:
        with _types("btrfs", vmlinux) as types:
            inode = types.offset_of("btrfs_inode", "vfs_inode")
            root = types.offset_of("btrfs_inode", "root")
            objectid = types.offset_of("btrfs_root", "root_key.objectid")
            if inode is not None and root is not None and objectid is not None:
                layout.btrfs = 1
                layout.btrfs_root, layout.btrfs_objectid = root - inode, objectid
        with _types("overlay", vmlinux) as types:
            step = types.find("ovl_path", btf.Kind.STRUCT)
            inode = types.offset_of("ovl_inode", "vfs_inode")
            upper = types.offset_of("ovl_inode", "__upperdentry")
            entry = types.offset_of("ovl_inode", "oe")
            layers = types.offset_of("ovl_entry", "__numlower")
            stack = types.offset_of("ovl_entry", "__lowerstack")
            dentry = types.offset_of("ovl_path", "dentry")
            # Without it what an overlayfs does by itself is asked like anything else: more is denied than should be.
            layout.overlay_creator = types.offset_of("ovl_fs", "creator_cred") or 0
            if not (inode is None or upper is None or entry is None) and not (
                layers is None or stack is None or dentry is None or step is None
            ):
                layout.overlay = 1
                layout.overlay_upper, layout.overlay_entry = upper - inode, entry - inode
                layout.overlay_layers, layout.overlay_stack = layers, stack
                layout.overlay_dentry, layout.overlay_step = dentry, types.size(step)
    return layout


@contextlib.contextmanager
def _types(module: str, vmlinux: btf.Btf) -> Iterator[btf.Btf]:
    own = btf.Btf.module(module, vmlinux)
    if own is None:
        yield vmlinux  # built in, or not there, where the types are not found
        return
    with own:
        yield own
