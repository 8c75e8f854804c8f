"""The health of a base directory: measured, judged, and as Prometheus metrics."""
