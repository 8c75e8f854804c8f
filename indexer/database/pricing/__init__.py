"""Load the prices of model calls, and apply them to the calls in the database."""
