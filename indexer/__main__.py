"""`python -m indexer`: the command line under the package's own name.

Called by the interpreter, and by the demo for the daemon it starts. It holds nothing.
"""

from __future__ import annotations

from indexer.cli.shell.entry import main

if __name__ == "__main__":
    main()
