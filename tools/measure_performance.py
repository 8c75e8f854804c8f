"""Measure what telemetry costs, each figure next to the least that it could cost.

Run from a checkout with the development dependencies; `--help` tells the rest.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Imported here: each of the processes that are measured imports this file again.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

    from tools.performance.command import main

    main()
