"""Pages, one per file: each reads what it needs and answers as HTML, JSON or CSV."""
