"""``python -m seqforge``."""

from seqforge.cli.app import main

main()
