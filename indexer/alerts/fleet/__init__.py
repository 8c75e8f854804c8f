"""Evaluate rules on a fleet: what they look at is copied from the centre in a thread.

The rules, their messages and their state are the same as of rules on this host.
"""
