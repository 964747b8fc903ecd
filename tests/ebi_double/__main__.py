"""Run the double to try the command line against it: python -m tests.ebi_double --library x.fa."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NoReturn

from tests.ebi_double import EbiDouble, LocalEngine


def main() -> None:
    """Serve until Ctrl-C, and say what came in."""
    parser = argparse.ArgumentParser(prog="python -m tests.ebi_double", description=__doc__)
    parser.add_argument("--library", type=Path, required=True, help="a FASTA file to search")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long a job takes")
    parser.add_argument("--local", action="store_true", help="search without BLAST+")
    options = parser.parse_args()
    library = LocalEngine(options.library) if options.local else options.library
    with EbiDouble(library, run_seconds=options.seconds, port=options.port) as double:
        try:  # a caller may answer the first line with Ctrl-C before print has returned
            print(
                f"seqforge blast samples.fa --email you@your.org --base-url {double.url}",
                flush=True,
            )
            tell(double)
        except KeyboardInterrupt:
            print(f"{len(double.accepted)} jobs were accepted", flush=True)


def tell(double: EbiDouble) -> NoReturn:
    """Requests that come in in, a line for each out, until Ctrl-C."""
    told = 0
    while True:
        for exchange in double.exchanges[told:]:
            told += 1
            print(exchange.call, exchange.name, exchange.kind, flush=True)
        time.sleep(0.2)


if __name__ == "__main__":
    main()
