"""The tables and views of the centre, as SQL text made from the one list of fields. Pure."""
