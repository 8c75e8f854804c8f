"""What alert rules are evaluated on, and the alert events of the log, as rows."""
