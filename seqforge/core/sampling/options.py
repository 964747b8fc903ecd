"""Values as given in, checked sampling options out: filters, prime, suffix, where to stop."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from seqforge.core.data.vocabulary import Vocabulary
from seqforge.core.sampling.logit_filters import Rules

Ending = Callable[[str, int, bool], int | None]
"""Where a record is to end, or None to go on: told its symbols so far, how many of them, from the
left, were given, and whether nothing more comes. Until then only a certain place is told."""

MOST = 10**12
"""Symbols, and records: more than anybody waits for."""
_PLAIN = ("temperature", "length", "exact_length", "prime", "suffix", "seed")
_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "True or False"}
_KINDS: dict[str, type] = {
    "repetition_penalty": float, "repetition_window": int, "temperature": float,
    "temperature_end": float, "top_k": int, "top_p": float, "min_p": float, "typical_p": float,
    "length": int, "min_length": int, "exact_length": bool, "records": int, "stop": str,
    "prime": str, "suffix": str, "candidates": int, "seed": int,
}  # fmt: skip
_PERHAPS = ("temperature_end", "top_k", "top_p", "min_p", "typical_p", "stop")
"""What may be None."""
_NEUTRAL = {"top_p": 1, "typical_p": 1, "min_p": 0, "stop": ""}  # said, and yet changing nothing


def check_kind(name: str, value: Any, kind: type) -> None:
    """See that a value is of a kind: int, float (a whole number is one too), str or bool.

    Raises:
        ValueError: If it is not; True is no number.
    """
    fits: dict[type, Any] = {
        int: int | np.integer, float: int | float | np.integer | np.floating, str: str,
        bool: bool | np.bool_,
    }  # fmt: skip
    if not isinstance(value, fits[kind]) or (kind is not bool and isinstance(value, bool)):
        raise ValueError(f"{name} must be {_WORDS[kind]}, not {value!r:.60}")


@dataclass(frozen=True)
class SamplingOptions:
    """How to draw.

    The strategies apply in this order, each to what the one before it left.

    Raises:
        ValueError: If a value is out of range.
    """

    repetition_penalty: float = 1.0
    """A symbol among the last ``repetition_window`` has its probability raised to this power
    before all are scaled anew: the log-probability times the penalty of Keskar et al. 2019
    (https://arxiv.org/abs/1909.05858), who apply it to logits, which are known only but for a
    constant. 1 is none."""
    repetition_window: int = 64
    """Symbols looked back at, the prime's too."""
    temperature: float = 1.0
    """0 takes the likeliest symbol, infinity any symbol that is allowed (Ackley et al. 1985)."""
    temperature_end: float | None = None
    """Temperature of the last of ``length`` symbols, reached by equal steps."""
    top_k: int | None = None
    """Keep so many of the likeliest (Fan et al. 2018, https://arxiv.org/abs/1805.04833)."""
    top_p: float | None = None
    """Keep the fewest that reach this mass (Holtzman et al. 2020,
    https://arxiv.org/abs/1904.09751)."""
    min_p: float | None = None
    """Keep those at least so many times as likely as the likeliest (Nguyen et al. 2024,
    https://arxiv.org/abs/2407.01082)."""
    typical_p: float | None = None
    """Keep the fewest that reach this mass, those first whose surprise is nearest to the mean
    surprise: locally typical (Meister et al. 2023, https://arxiv.org/abs/2202.00666)."""
    length: int = 1000
    """Most symbols of a record, what is given not counted; a longer one is cut there, and ends."""
    min_length: int = 0
    """Hold the end symbol back until so many symbols of a record came."""
    exact_length: bool = False
    """Hold the end symbol back, so that exactly ``length`` symbols come."""
    records: int = 1
    """Go on through the end symbol until so many records came, each a sample of its own; fewer
    come where one is cut."""
    stop: str | None = None
    """Stop when this was drawn; it is kept."""
    prime: str = ""
    """What a sample begins with."""
    suffix: str = ""
    """What a sample ends with; see `infilling`. It needs an exact length."""
    candidates: int = 64
    """How many ways of filling are weighed against each other where there is a suffix."""
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value, kind = getattr(self, field.name), _KINDS[field.name]
            if not (value is None and field.name in _PERHAPS):
                check_kind(field.name, value, kind)
        for name, fits, wanted in (
            ("repetition_penalty", 1 <= self.repetition_penalty <= 1e6, "lie in [1, 10^6]"),
            ("repetition_window", 1 <= self.repetition_window <= 65536, "lie in [1, 65536]"),
            ("temperature", self.temperature >= 0, "be 0 or above"),
            ("temperature_end", (self.temperature_end or 0) >= 0, "be 0 or above"),
            ("top_k", self.top_k is None or 1 <= self.top_k < 2**31, "lie in [1, 2^31)"),
            ("top_p", self.top_p is None or 0 < self.top_p <= 1, "lie in (0, 1]"),
            ("min_p", self.min_p is None or 0 <= self.min_p <= 1, "lie in [0, 1]"),
            ("typical_p", self.typical_p is None or 0 < self.typical_p <= 1, "lie in (0, 1]"),
            ("length", 1 <= self.length <= MOST, "lie in [1, 10^12]"),
            ("min_length", self.min_length >= 0, "be 0 or above"),
            ("records", 1 <= self.records <= MOST, "lie in [1, 10^12]"),
            ("candidates", 1 <= self.candidates <= 10_000, "lie in [1, 10000]"),
            ("seed", 0 <= self.seed < 2**63, "lie in [0, 2^63)"),
        ):
            if not fits:
                raise ValueError(f"{name} must {wanted}, not {getattr(self, name)}")
        if self.temperature_end is not None and math.isinf(self.temperature + self.temperature_end):
            raise ValueError("a temperature that changes must be finite at both ends")
        if self.min_length > self.length:
            raise ValueError(
                f"min_length ({self.min_length:,}) must not be above max_length, which is "
                f"{self.length:,}: raise that too"
            )
        if self.suffix and not self.exact_length:
            raise ValueError("a suffix needs an exact length to fill")
        if self.suffix and self.stop:
            raise ValueError("give a suffix or where to stop, not both")
        if self.records > 1 and self.exact_length:
            raise ValueError("an exact length holds the end symbol back: no second record comes")

    @property
    def settings(self) -> dict[str, Any]:
        """What differs from plain drawing, by name, for a sample to carry."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _PLAIN}
        plain = {f.name: f.default for f in fields(self)}
        if self.repetition_penalty == 1:
            given.pop("repetition_window")
        if not self.suffix:
            given.pop("candidates")
        elif "candidates" in given:
            plain["candidates"] = None
        neutral = {**_NEUTRAL, "temperature_end": self.temperature}
        return {
            name: value
            for name, value in given.items()
            if value not in (plain[name], neutral.get(name, plain[name]))
        }

    def rules(self, vocabulary: Vocabulary) -> Rules:
        """The strategies as the kernel reads them."""
        end = self.temperature if self.temperature_end is None else self.temperature_end
        unknown = vocabulary.unknown_id
        return Rules(
            np.uint64(self.seed), float(self.temperature), float(end), self.length,
            self.top_k or 0, float(self.top_p or 1.0), float(self.min_p or 0.0),
            float(self.typical_p or 1.0), float(self.repetition_penalty),
            MOST if self.exact_length else self.min_length, -1 if unknown is None else unknown,
        )  # fmt: skip

    def ending(self, more: Ending | None) -> Ending | None:
        """Where to stop for the sake of ``stop``, or of another rule, whichever comes first."""
        if not self.stop:
            return more
        wanted = self.stop

        def first(symbols: str, given: int, over: bool) -> int | None:
            place = symbols.find(wanted, given)
            found = [place + len(wanted)] if place >= 0 else []
            other = more(symbols, given, over) if more else None
            return min([*found, *([] if other is None else [other])], default=None)

        return first
