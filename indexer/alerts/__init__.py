"""Evaluate alert rules on the database, and notify people through channels.

Used by the daemon and by `telemetry alerts`. What fired, was resolved and was delivered are events
in the log, so that a rebuild, a second daemon or a restored backup sends nothing twice. The kinds
of rules are pure functions of facts read from the database; messages go through the outbox.
"""
