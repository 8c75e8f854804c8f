"""Read the transcript of an imported session: what was said and done.

One file for each tool that writes sessions. Spans and usage are made of the same lines elsewhere;
here nothing is counted.
"""
