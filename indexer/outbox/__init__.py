"""Decide what is due for delivery, inside the transaction that stores the events.

Two kinds of things are delivered by one outbox and one sender: revisions of runs, and messages of
alerts. Runs are queued by `projection.OutboxProjection`. Alerts are queued by whatever evaluates
them, in three steps, and are then as durable as runs:

1. Write the event that says what happened (`alert.fired`, `alert.resolved`) into the log, with one
   subject for each series of messages that has to arrive in order.
2. When that event is read (a listener of the ingest pass), `queue.enqueue` a `NewParcel` of kind
   `ALERT` for each channel, in the same transaction: `run_id` is the subject, `revision` a number
   that rises within the subject, `key` anything stable that is derived from the event.
3. Give the channels to `forward.forwarding.Forwarding` as `channels`: a `Target` each. Names of
   channels must differ from those of targets; a prefix such as `alert:` takes care of that.

A message leaves the outbox when its receipt is read: an `alert.delivered` or
`alert.delivery_failed` event of the subject. In a new database these events say what need not be
queued again.
"""
