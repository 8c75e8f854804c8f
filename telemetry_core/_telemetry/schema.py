"""The path `telemetry.schema`, by which code of the earlier product imports the tables' version.

The tables themselves are the indexer's; `telemetry init` creates them.
"""

from telemetry_core.run_fields import RUN_FIELDS, SCHEMA_VERSION

__all__ = ["RUN_FIELDS", "SCHEMA_VERSION"]
