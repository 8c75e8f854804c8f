"""Run the daemon as a service: under systemd, launchd or the Windows Task Scheduler.

Used by `telemetry service`. `definition` says what is to run; each manager has a file that knows
the text of its service file and its commands; `install` writes and removes.
"""
