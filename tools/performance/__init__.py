"""What telemetry costs, measured. Entered by tools/measure_performance.py alone."""
