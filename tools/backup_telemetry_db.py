"""`telemetry backup` by its earlier name: `python tools/backup_telemetry_db.py --keep 7`.

Called by hand or by cron, from a checkout. It holds nothing but the way to the command.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from indexer.cli.main import run  # found only now

if __name__ == "__main__":
    sys.exit(run(["backup", *sys.argv[1:]]))
