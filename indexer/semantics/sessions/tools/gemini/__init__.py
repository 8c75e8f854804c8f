"""Gemini CLI: where its sessions lie, and what their lines say."""

from indexer.semantics.sessions.tools.gemini.files import TOOL

__all__ = ["TOOL"]
