"""Compare this host with the centre, see who ships, and make the centre's rows again."""
