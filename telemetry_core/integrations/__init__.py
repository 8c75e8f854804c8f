"""Adapt other libraries: what they do inside a run becomes its events and spans.

One file each. A library is imported only where its adapter is used, and none of them is a
dependency. What an adapter calls never raises our own exceptions into the library.
"""
