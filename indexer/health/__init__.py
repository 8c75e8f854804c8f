"""Measure and judge the health of a base directory, and export it as Prometheus metrics."""
