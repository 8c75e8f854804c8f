"""Read repository, branch and commit of the git checkout around the working directory.

Called by the client when a run starts and gives none. It reads the files under `.git` and
never runs git; it looks once a process and remembers, and finding nothing is an answer too.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Optional

_CREDENTIALS = re.compile(r"(?<=://)[^/]*@")
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_NOT_IN_FILES = "refs/heads/.invalid"
"""What HEAD says in a repository whose references are in git's own `reftable` format."""
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
    common = directory / _read(directory / "commondir").strip()
    fields = {"git_repo": _remote(common) or _checkout_name(directory, common)}
    head = _read(directory / "HEAD").strip()
    commit = head
    if head.startswith("ref:"):
        ref = head[4:].strip()
        if ref != _NOT_IN_FILES:
            fields["git_branch"] = ref.replace("refs/heads/", "", 1)
        commit = _resolve(ref, directory, common)
    if _COMMIT.fullmatch(commit):
        fields["git_commit_hash"] = commit
    return fields


def _resolve(ref: str, directory: Path, common: Path) -> str:
    for place in (directory, common):
        commit = _read(place / ref).strip()
        if commit:
            return commit
    for line in _read(common / "packed-refs").splitlines():
        commit, _, name = line.partition(" ")
        if name == ref:
            return commit
    return ""


def _remote(common: Path) -> Optional[str]:
    """Return the address of `origin`, or of the first remote, without credentials."""
    urls: dict[str, str] = {}
    section = ""
    for line in _read(common / "config").splitlines():
        text = line.strip()
        if text.startswith("["):
            section = text
        elif section.startswith('[remote "'):
            key, _, value = text.partition("=")
            if key.strip() == "url":
                urls.setdefault(section[9:].rstrip('"]'), value.strip())
    url = urls.get("origin") or next(iter(urls.values()), None)
    return _CREDENTIALS.sub("", url) if url else None


def _checkout_name(directory: Path, common: Path) -> str:
    root = common if common.name == ".git" else directory
    return os.path.basename(os.path.dirname(os.path.abspath(root)))


def _read(path: Path) -> str:
    """Return the text of a file; none where there is no file, or one that could make us wait."""
    if not path.is_file():
        return ""
    with open(path, "rb") as file:
        return file.read(_MAX_BYTES).decode("utf-8", "replace")
