"""Serve the live page: what agents do now and did before, in a browser on the same machine.

`server.py` listens, `guard.py` decides who is answered, `pages/` answer, `queries/` read the
database, `charts/` compute what is drawn, `templates/` and `assets/` are what a browser gets.
Needs the extra `ui` (Starlette, uvicorn, Jinja2; Python 3.10 or newer). Called by
`telemetry ui` and `telemetry up`.
"""
