"""The service: the daemon in the care of systemd, launchd or the Windows Task Scheduler.

Called by `telemetry service`. One file a manager, each of which makes the text of one file and
knows the commands that go with it; `install` writes and removes.
"""
