"""``python -m seqforge``, and the program ``seqforge``."""

from __future__ import annotations

import gc
import os
import sys

from seqforge.errors import NO_MEMORY

_NO_MEMORY = f"error: {NO_MEMORY}\n".encode()  # made while there is some


def main() -> None:
    """Run the command line; Ctrl-C ends it in one line from the first import on.

    Where memory is short to the last, even for saying so elsewhere, it is said here.
    """
    try:
        gc.disable()  # modules are no garbage: looking for some in them is a tenth of a start
        from seqforge.cli.main import main as run

        gc.freeze()
        gc.enable()
        run()
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(130)
    except MemoryError:
        os.write(2, _NO_MEMORY)
        os._exit(1)
    finally:
        # CPython ends by a signal, whatever the exit code, once Ctrl-C came inside an ``exec`` of
        # text (dataclasses do that while they are imported); the next ``exec`` takes that back.
        exec("")


if __name__ == "__main__":
    main()
