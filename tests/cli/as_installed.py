"""The program as the script of an installation starts it: it is called by its name alone."""

import sys

from seqforge.cli.main import main

sys.argv = ["seqforge"]
main()
