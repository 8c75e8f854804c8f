"""What changed, looked up as it happens and passed on to every browser that listens."""
