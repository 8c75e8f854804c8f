"""The report: what happened in a period, on one page that needs nothing else.

Called by `telemetry report`. `figures` asks the view, `page` and `markdown` write down what it
said, and `picture` draws. Whatever agents wrote goes through `markup`, where it stays text.
"""
