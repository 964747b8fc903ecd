"""``python -m seqforge``."""

from seqforge.cli.main import main

main()
