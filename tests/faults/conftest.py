"""strace, fork and the birth time of files: these tests are for Linux."""

import sys

collect_ignore = [] if sys.platform == "linux" else ["test_faults.py"]
