"""Claude Code: where its sessions lie, and what their lines say."""

from indexer.semantics.sessions.tools.claude_code.files import TOOL

__all__ = ["TOOL"]
