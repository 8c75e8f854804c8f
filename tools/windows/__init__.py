"""The tests on Windows, run by Wine."""
