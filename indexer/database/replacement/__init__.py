"""Put a rebuilt database in the place of the old one, if nothing is lost by that."""
