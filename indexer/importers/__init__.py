"""Copy session files of coding agents into the log, line by line.

A line goes in verbatim, after redaction, under an id made of its own bytes: reading it again, from
wherever, adds nothing. What it means is decided in `semantics/`, when the log is read.
"""
