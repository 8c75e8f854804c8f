"""Read the lines of coding agents' own session files: one folder or file per tool in `tools/`."""
