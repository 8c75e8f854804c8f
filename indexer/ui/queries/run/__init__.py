"""What the page of one run asks of the database."""
