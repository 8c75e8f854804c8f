"""Prices of model calls: which are in use, and what calls cost by them."""
