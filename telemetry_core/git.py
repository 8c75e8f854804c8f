"""The git checkout around the working directory: repository, branch and commit.

Called by the client when a run starts and gives none. It reads the files under `.git` and
never runs git; it looks once a process and remembers, and finding nothing is an answer too.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Optional

_CREDENTIALS = re.compile(r"(?<=://)[^/@]*@")
_MAX_BYTES = 4 * 1024 * 1024


@lru_cache(maxsize=1)
def git_fields() -> dict[str, str]:
    """Return git_repo, git_branch and git_commit_hash as far as they can be read."""
    try:
        directory = _find_git_directory(Path.cwd())
        return _read_checkout(directory) if directory else {}
    except (OSError, ValueError):
        return {}


def _find_git_directory(start: Path) -> Optional[Path]:
    for parent in (start, *start.parents):
        dot_git = parent / ".git"
        if dot_git.is_dir():
            return dot_git
        if dot_git.is_file():
            # A worktree or a submodule: the file says where the real one is.
            label, _, target = _read(dot_git).partition(":")
            return (parent / target.strip()) if label == "gitdir" else None
    return None


def _read_checkout(directory: Path) -> dict[str, str]:
    common = directory
    if (directory / "commondir").is_file():
        common = directory / _read(directory / "commondir").strip()
    fields = {"git_repo": _remote(common) or _checkout_name(directory, common)}
    head = _read(directory / "HEAD").strip()
    if head.startswith("ref:"):
        ref = head[4:].strip()
        fields["git_branch"] = ref[len("refs/heads/") :] if ref.startswith("refs/heads/") else ref
        commit = _resolve(ref, directory, common)
        if commit:
            fields["git_commit_hash"] = commit
    elif head:
        fields["git_commit_hash"] = head
    return fields


def _resolve(ref: str, directory: Path, common: Path) -> Optional[str]:
    for place in (directory, common):
        if (place / ref).is_file():
            return _read(place / ref).strip()
    packed = common / "packed-refs"
    if packed.is_file():
        for line in _read(packed).splitlines():
            commit, _, name = line.partition(" ")
            if name == ref:
                return commit
    return None


def _remote(common: Path) -> Optional[str]:
    """Return the address of `origin`, or of the first remote, without credentials."""
    urls: dict[str, str] = {}
    section = ""
    config = common / "config"
    for line in _read(config).splitlines() if config.is_file() else ():
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section.startswith('[remote "'):
            key, _, value = line.partition("=")
            if key.strip() == "url":
                urls.setdefault(section[9:].rstrip('"]'), value.strip())
    url = urls.get("origin") or next(iter(urls.values()), None)
    return _CREDENTIALS.sub("", url) if url else None


def _checkout_name(directory: Path, common: Path) -> str:
    root = common if common.name == ".git" else directory
    return os.path.basename(os.path.dirname(os.path.abspath(root)))


def _read(path: Path) -> str:
    with open(path, "rb") as file:
        return file.read(_MAX_BYTES).decode("utf-8", "replace")
