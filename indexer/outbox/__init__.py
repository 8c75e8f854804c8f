"""Decide what is due for delivery, inside the transaction that stores the events."""
