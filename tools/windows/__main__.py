"""The official Windows builds of Python, run by Wine on this machine.

`python tools/windows` prepares everything once and runs the suite; what it prepares is kept in
the user's cache. Run it from a checkout with the development dependencies; `--help` tells more.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.windows.command import main

if __name__ == "__main__":
    sys.exit(main())
