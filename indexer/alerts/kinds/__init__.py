"""The kinds of alert rules, as pure functions: a rule and facts to conditions."""
