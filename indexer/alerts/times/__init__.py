"""Time zones, schedules, quiet hours and lengths of time. Pure: no clock is asked."""
