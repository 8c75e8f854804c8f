"""Read the alert rules, channels and heartbeat of the settings file."""
