"""Codex: where its sessions lie, and what their lines say."""

from indexer.semantics.sessions.tools.codex.files import TOOL

__all__ = ["TOOL"]
