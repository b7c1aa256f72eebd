"""What the benchmarks share. Import it before anything else of ours or of others.

The folder of a script stands first on Python's path, and there ``http.py``, which is a command, would be found
in place of the standard library's ``http``. So the folder leaves the path; this package is loaded already.
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent

sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != FOLDER]
