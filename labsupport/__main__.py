"""``python3 -m labsupport``: see labsupport/launcher.py. Must parse on Python 3.6."""

import sys

from labsupport.launcher import main

if __name__ == "__main__":
    sys.exit(main())
