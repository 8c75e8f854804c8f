"""Experiments that break things on purpose, and one oracle that judges.

Each experiment takes a scratch directory, a seed and a size. Small ones run in `pytest`
(tests/acceptance/test_laboratory.py), large ones without end in `tools/torture.py`.
"""
