"""``python -m seqforge``, and the program ``seqforge``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it in one line from the first import on."""
    try:
        from seqforge.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(130)
    finally:
        # CPython ends by a signal, whatever the exit code, once Ctrl-C came inside an ``exec`` of
        # text (dataclasses do that while they are imported); the next ``exec`` takes that back.
        exec("")


if __name__ == "__main__":
    main()
