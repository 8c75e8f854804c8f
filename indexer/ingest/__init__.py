"""From log to store, exactly once: batches, the fold, and the pass that commits both."""
