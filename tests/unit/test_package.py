# SPDX-License-Identifier: GPL-2.0-only
"""What is installed: a wheel has every file that the package reads."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
DATA = {package: [glob.strip() for glob in globs.split(",")] for package, globs in SETUP["options.package_data"].items()}
FOLDERS = {package: package.replace(".", "/") for package in SETUP["options"]["packages"].split()}
FOLDERS |= dict(line.split(" = ") for line in SETUP["options"]["package_dir"].split("\n") if " = " in line)


@pytest.mark.parametrize("package", DATA)
def test_data(package: str) -> None:
    folder = ROOT / FOLDERS[package]
    kept = {path for glob in DATA[package] for path in folder.glob(glob)}
    inner = [ROOT / other for name, other in FOLDERS.items() if name != package and other.startswith(f"{FOLDERS[package]}/")]
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in (".c", ".h", ".j2", ".json", ".toml"):
            if not any(path.is_relative_to(each) for each in inner):
                assert path in kept, path
