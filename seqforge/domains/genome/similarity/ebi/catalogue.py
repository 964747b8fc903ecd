"""What the service offers: databases and the exact values of parameters, remembered for a day."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from seqforge.core.files import cache_root, make_folder, write_atomically
from seqforge.domains.genome.similarity.ebi.client import EbiClient
from seqforge.domains.genome.similarity.ebi.details import Value
from seqforge.domains.genome.similarity.ebi.failures import Refused, Transient, Unreadable
from seqforge.domains.genome.similarity.parameters import Letters
from seqforge.errors import ConfigError, RunError

_DAY = 86400.0
_TRIES = 4
_CONTEXT = {"dna": "nucleotide", "protein": "protein"}
_RETIRED = re.compile(
    r"em_?(?:(cds|ncr|geo|con|wgs|est)_)?(?:rel|cum)(?:_std)?(?:_(\w+))?|em(all|new|vec)"
)

# What ncbiblast took in August 2026; it serves where nothing newer can be had, for --dry-run.
_KNOWN_DATE = "2026-08"
_KNOWN = {
    "exp": "1e-200 1e-100 1e-50 1e-10 1e-5 1e-4 1e-3 1e-2 1e-1 1.0 10 100 1000",
    "scores": "0 5 10 20 50 100 150 200 250 500 750 1000",
    "alignments": "0 5 10 20 50 100 150 200 250 500 750 1000",
    "match_scores": "1,-4 2,-7 1,-3 2,-5 1,-2 2,-3 1,-1 5,-4 4,-5",
    "gapopen": "-1 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 25",
    "gapext": "-1 0 1 2 3 4 5 6 8 10",
    "filter": "T F",
}


class Catalogue:
    """What one tool of the service offers.

    Args:
        client: Asks; its clock tells what is older than a day.
        say: Told in a sentence when something old has to serve.
        ask: False to send nothing at all: what is remembered serves, however old.
        folder: Where answers are remembered; in the user's cache where None.
    """

    def __init__(
        self,
        client: EbiClient,
        say: Callable[[str], None],
        *,
        ask: bool = True,
        folder: Path | None = None,
    ) -> None:
        self._client, self._say, self._ask = client, say, ask
        self._folder = cache_root() / "ebi" if folder is None else folder
        self._seen: dict[str, tuple[Value, ...]] = {}
        self._told = False

    def values(self, parameter: str) -> tuple[Value, ...]:
        """The values that a parameter may have; empty where anything goes.

        Raises:
            Transient: If the service does not answer and nothing is remembered.
        """
        if parameter not in self._seen:
            self._seen[parameter] = self._remembered_or_asked(parameter)
        return self._seen[parameter]

    def databases(self, letters: Letters) -> tuple[Value, ...]:
        """The databases of these letters, in the service's order.

        Raises:
            Transient: As `values` does.
        """
        context = _CONTEXT[letters]
        offered = self.values("database")
        return tuple(each for each in offered if not each.contexts or context in each.contexts)

    def database(self, name: str, letters: Letters) -> Value:
        """The database of this name.

        Raises:
            ConfigError: If the service has none, with the nearest names or today's name.
            Transient: As `values` does.
        """
        offered = {each.value: each for each in self.databases(letters)}
        if not offered or name in offered:
            return offered.get(name, Value(name, name))
        of_others = {each.value: each for each in self.values("database")}
        if name in of_others:
            raise ConfigError(
                f"--database {name} ({of_others[name].label}) holds no {_CONTEXT[letters]} "
                f"sequences; try {_some(nearest(name, list(offered)))}"
            )
        if today := current_name(name, list(offered)):
            raise ConfigError(
                f"--database {name} was retired in 2020, when ENA's releases ended; "
                f"today's is {today}"
            )
        raise ConfigError(
            f"EMBL-EBI's {self._client.tool} has no database {name}; the nearest of its "
            f"{len(offered)} are {_some(nearest(name, list(offered)))}"
        )

    def _remembered_or_asked(self, parameter: str) -> tuple[Value, ...]:
        name = hashlib.sha256(f"{self._client.url} {parameter}".encode()).hexdigest()[:16]
        path = self._folder / f"{self._client.tool}-{parameter}-{name}.json"
        when, values = _read(path)
        if values is not None and (not self._ask or self._client.clock() - when < _DAY):
            return values
        if not self._ask:
            return self._known(parameter)
        try:
            details = self._patiently(parameter)
        except Refused:
            return self._known(parameter)
        except (Transient, Unreadable) as error:
            if values is None:
                raise Transient(
                    f"EMBL-EBI does not say what it offers ({error}); try again later, or search "
                    "at home with --against"
                ) from error
            date = datetime.fromtimestamp(when, UTC).date()
            self._say(f"EMBL-EBI does not answer; the values of {parameter} are those of {date}")
            return values
        _write(path, self._client.clock(), details)
        return details

    def _patiently(self, parameter: str) -> tuple[Value, ...]:
        for attempt in range(1, _TRIES):
            try:
                return self._client.parameter_details(parameter).values
            except (Transient, Unreadable) as error:
                asked = getattr(error, "retry_after", None)
                wait = 2.0**attempt if asked is None else asked
                if self._client.monotonic() + wait >= self._client.until:
                    raise
                self._client.sleep(wait)
        return self._client.parameter_details(parameter).values

    def _known(self, parameter: str) -> tuple[Value, ...]:
        known = _KNOWN.get(parameter, "") if self._client.tool == "ncbiblast" else ""
        if not self._ask and not self._told:
            self._told = True
            self._say(
                "EMBL-EBI was not asked what it offers, and what it said before is not "
                f"remembered: values are those of {_KNOWN_DATE}, or as they were given"
            )
        return tuple(Value(value, value) for value in known.split())


def nearest(name: str, names: Sequence[str], count: int = 5) -> list[str]:
    """The names most like this one, best first."""
    return difflib.get_close_matches(name.lower(), names, count, 0.0)


def current_name(name: str, names: Sequence[str]) -> str | None:
    """What a database of ENA's times of releases is called today; None for other names."""
    found = _RETIRED.fullmatch(name.lower())
    if found is None:
        return None
    kind, division, whole = found.groups()
    if whole:
        wanted = {"all": "em_all", "new": "em_std", "vec": "em_vec"}[whole]
    else:
        middle = kind if kind in {"cds", "ncr", "geo"} else None
        # A class of data such as EST stands before the division, as ``em_rel_est_inv`` does.
        parts = ["em", middle, "std", division]
        wanted = "_".join(part for part in parts if part)
    if wanted in names:
        return wanted
    without_class = re.sub(r"_(est|gss|htc|htg|pat|sts|tsa|wgs|con)_", "_", wanted)
    return without_class if without_class in names else next(iter(nearest(wanted, names, 1)), None)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _read(path: Path) -> tuple[float, tuple[Value, ...] | None]:
    """What was remembered and when; nothing where there is none or it is damaged."""
    try:
        data = json.loads(path.read_bytes())
        values = tuple(
            Value(**{**each, "contexts": tuple(each["contexts"])}) for each in data["values"]
        )
        return datetime.fromisoformat(data["asked"]).timestamp(), values
    except (OSError, ValueError, LookupError, TypeError):
        return 0.0, None


def _write(path: Path, when: float, values: Sequence[Value]) -> None:
    asked = datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds")
    document = {"asked": asked, "values": [asdict(value) for value in values]}
    with suppress(RunError):  # a cache that cannot be written costs a request, and no search
        make_folder(path.parent)
        write_atomically(path, json.dumps(document, indent=1).encode())
