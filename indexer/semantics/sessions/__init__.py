"""Translate the lines of coding agents' own session files, one file per tool."""
