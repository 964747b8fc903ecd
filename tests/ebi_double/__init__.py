"""A double of EMBL-EBI's Job Dispatcher: a real HTTP server with a real search behind it.

It speaks the REST surface of the tools ncbiblast and fasta as far as it is known from public
sources; what is inferred is said where it stands. It proves that a client copes with this
double, not that the service answers the same.
"""

from tests.ebi_double.clock import Clock
from tests.ebi_double.faults import (
    Answers,
    Fault,
    Lacks,
    Resets,
    Says,
    Slow,
    Stops,
    Truncated,
    Written,
    bad_gateway,
    login_page,
    too_many_requests,
)
from tests.ebi_double.searching import BlastEngine, Engine, LocalEngine, engine_for
from tests.ebi_double.server import EbiDouble
from tests.ebi_double.service import Submission
from tests.ebi_double.wire import Style

__all__ = [
    "Answers",
    "BlastEngine",
    "Clock",
    "EbiDouble",
    "Engine",
    "Fault",
    "Lacks",
    "LocalEngine",
    "Resets",
    "Says",
    "Slow",
    "Stops",
    "Style",
    "Submission",
    "Truncated",
    "Written",
    "bad_gateway",
    "engine_for",
    "login_page",
    "too_many_requests",
]
