"""What Windows alone is asked: who may enter a directory, and what kind of volume holds it."""
