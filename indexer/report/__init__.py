"""Report on a period as one page that needs nothing else, as HTML and as Markdown.

Used by `telemetry report`. `figures` queries the database, `text` puts figures into sentences,
`charts` draws, and `render` fills the templates.
"""
