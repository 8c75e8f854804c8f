"""Ask Windows who may enter a directory, and what kind of volume holds it."""
