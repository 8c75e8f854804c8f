"""Fill in what a run's caller need not say: host, owner, parent run and git checkout.

Called by the client when a run starts.
"""

from __future__ import annotations

from typing import Any

from telemetry_core.config import TelemetryConfig
from telemetry_core.git import git_fields
from telemetry_core.lineage import parent_of_new_run
from telemetry_core.process import host_name


def surroundings(config: TelemetryConfig) -> dict[str, Any]:
    """Return the run fields that are known without being given."""
    found = {
        "host": host_name(),
        "agent_owner": config.agent_owner,
        "parent_run_id": parent_of_new_run(),
        **(git_fields() if config.git else {}),
    }
    return {name: value for name, value in found.items() if value is not None}
