"""Kinds of alert rules, as pure functions from a rule and facts to conditions."""
