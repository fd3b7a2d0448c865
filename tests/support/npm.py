"""Packages from npm as peers: fetched once into pytest's cache, pinned, never part of the repository."""

import asyncio
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from support.outside import missing

INSTALL_TIMEOUT_S = 120
NPM = ("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--silent")


async def installed(folder: Path, packages: Mapping[str, str]) -> Path:
    """A folder with these packages (name → version); skips the test where they cannot be had."""
    names = ", ".join(packages)
    if shutil.which("npm") is None or shutil.which("node") is None:
        missing(names, "Debian: npm")
    manifest = json.dumps({"private": True, "dependencies": dict(packages)})
    done = folder / "installed.json"
    if done.exists() and done.read_text() == manifest:
        return folder
    (folder / "package.json").write_text(manifest)
    process = await asyncio.create_subprocess_exec(
        *NPM, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), INSTALL_TIMEOUT_S)
    if process.returncode:
        missing(names, f"npm install failed: {said.decode(errors='replace')[-300:].strip()}")
    done.write_text(manifest)
    return folder


async def bundled(folder: Path, entry: str) -> bytes:
    """One script for a browser out of an entry module; `esbuild` must be among the packages."""
    (folder / "entry.mjs").write_text(entry)
    process = await asyncio.create_subprocess_exec(
        *("node_modules/.bin/esbuild", "entry.mjs", "--bundle", "--format=iife", "--log-level=error"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
    )
    script, _ = await asyncio.wait_for(process.communicate(), INSTALL_TIMEOUT_S)
    assert process.returncode == 0
    return script
