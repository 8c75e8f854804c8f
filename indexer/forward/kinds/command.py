"""Deliver alerts to a command, which gets the message as JSON on its standard input."""

from __future__ import annotations

import shlex
import subprocess

from indexer.forward.kinds.in_thread import ThreadTransport
from indexer.outbox.attempt import DELIVERED, FAILED, AttemptResult
from indexer.outbox.parcel import Parcel
from indexer.outbox.target import Target

REQUIREMENT = "the command cannot be run"


def run_command(arguments: list[str], payload: bytes, timeout: float) -> AttemptResult:
    """Run a command to its end. Exit code 0 means that it has the message. Raises OSError."""
    try:
        done = subprocess.run(
            arguments,
            input=payload,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return AttemptResult(FAILED, "the command did not end in time, and was killed")
    except FileNotFoundError:
        return AttemptResult(FAILED, "there is no such command")
    outcome = FAILED if done.returncode else DELIVERED
    return AttemptResult(outcome, f"exit code {done.returncode}")


def transport_to(target: Target) -> ThreadTransport:
    """Return the transport for a channel."""
    arguments = shlex.split(target.address)
    # Less than the sender's own deadline: what is killed is not still at work when it is retried.
    timeout = target.timeout * 0.9

    def attempt(parcel: Parcel) -> AttemptResult:
        return run_command(arguments, parcel.payload, timeout)

    return ThreadTransport(attempt)
