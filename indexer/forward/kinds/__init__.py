"""Kinds of targets, one file each, with what it takes to make one attempt there."""
