"""What is due for delivery, decided inside the transaction that stores the events."""
