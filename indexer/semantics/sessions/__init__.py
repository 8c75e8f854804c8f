"""Sessions of coding agents: what the lines of their own files mean, one file per tool."""
