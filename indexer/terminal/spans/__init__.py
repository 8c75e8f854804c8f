"""What agents did, for people: trees of spans, tokens and costs."""
