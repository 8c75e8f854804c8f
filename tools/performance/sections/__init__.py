"""The sections, one file each; each has a `SECTION`. Found by tools/performance/section.py."""
