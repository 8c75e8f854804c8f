"""Break log, database and indexer in every known way, for a given time.

Run from a checkout with the development dependencies; `--help` tells the rest.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Imported here: each of the many children imports this file again, and needs none of it.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

    from tests.laboratory.command import main

    main()
