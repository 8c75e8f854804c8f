"""What is wrong, measured: the health report, its problems, and its Prometheus text."""
