"""Store events: how one is encoded, their table, and which of two copies is kept."""
