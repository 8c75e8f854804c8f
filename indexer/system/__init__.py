"""What the operating system offers: locks, file systems, atomic files, wake-ups."""
