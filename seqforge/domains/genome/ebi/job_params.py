"""Queries and search parameters in, job forms out, checked against the service's metadata."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from seqforge.base.folders import cache_root, make_folder, write_atomically
from seqforge.domains.genome.ebi.client import EbiClient, Form, ParameterValue
from seqforge.domains.genome.ebi.errors import Refused, Transient, Unreadable
from seqforge.domains.genome.nucleotides import fasta_record
from seqforge.domains.genome.residues import seem_bases
from seqforge.domains.genome.similarity.hits import Query
from seqforge.domains.genome.similarity.parameters import (
    ProteinParameters,
    Residues,
    SearchLimits,
    SearchParameters,
)
from seqforge.errors import ConfigError, InputError, RunError

_DAY = 86400.0
_TRIES = 4
_CONTEXT = {"dna": "nucleotide", "protein": "protein"}
_RETIRED = re.compile(
    r"em_?(?:(cds|ncr|geo|con|wgs|est)_)?(?:rel|cum)(?:_std)?(?:_(\w+))?|em(all|new|vec)"
)

# Parameters of ncbiblast in August 2026: the fallback for --dry-run when nothing is cached.
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


class ServiceMetadata:
    """Parameters and databases of one tool, cached on disk for a day.

    Args:
        client: Sends the requests; its clock gives the age of cached values.
        say: Receives a message when outdated values are used.
        ask: False to send no request and use cached values of any age.
        folder: Folder of the cache; in the user's cache if None.
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
        self._seen: dict[str, tuple[ParameterValue, ...]] = {}
        self._told = False

    def values(self, parameter: str) -> tuple[ParameterValue, ...]:
        """A parameter in, its allowed values out; empty if any value is allowed.

        Raises:
            Transient: If the service does not answer and nothing is remembered.
        """
        if parameter not in self._seen:
            self._seen[parameter] = self._remembered_or_asked(parameter)
        return self._seen[parameter]

    def databases(self, letters: Residues) -> tuple[ParameterValue, ...]:
        """The databases of a residue type, in the service's order.

        Raises:
            Transient: As `values` does.
        """
        context = _CONTEXT[letters]
        offered = self.values("database")
        return tuple(each for each in offered if not each.contexts or context in each.contexts)

    def database(self, name: str, letters: Residues) -> ParameterValue:
        """A database's name in, its entry out.

        Raises:
            ConfigError: If there is none; the message has its present name or the nearest names.
            Transient: As `values` does.
        """
        offered = {each.value: each for each in self.databases(letters)}
        if not offered or name in offered:
            return offered.get(name, ParameterValue(name, name))
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

    def _remembered_or_asked(self, parameter: str) -> tuple[ParameterValue, ...]:
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

    def _patiently(self, parameter: str) -> tuple[ParameterValue, ...]:
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

    def _known(self, parameter: str) -> tuple[ParameterValue, ...]:
        known = _KNOWN.get(parameter, "") if self._client.tool == "ncbiblast" else ""
        if not self._ask and not self._told:
            self._told = True
            self._say(
                "EMBL-EBI was not asked what it offers, and what it said before is not "
                f"remembered: values are those of {_KNOWN_DATE}, or as they were given"
            )
        return tuple(ParameterValue(value, value) for value in known.split())


def nearest(name: str, names: Sequence[str], count: int = 5) -> list[str]:
    """The most similar names, best first."""
    return difflib.get_close_matches(name.lower(), names, count, 0.0)


def current_name(name: str, names: Sequence[str]) -> str | None:
    """An ENA database's name from before 2020 in, its present name out; None for other names."""
    found = _RETIRED.fullmatch(name.lower())
    if found is None:
        return None
    kind, division, whole = found.groups()
    if whole:
        wanted = {"all": "em_all", "new": "em_std", "vec": "em_vec"}[whole]
    else:
        middle = kind if kind in {"cds", "ncr", "geo"} else None
        # The data class (such as EST) precedes the division: ``em_rel_est_inv``.
        parts = ["em", middle, "std", division]
        wanted = "_".join(part for part in parts if part)
    if wanted in names:
        return wanted
    without_class = re.sub(r"_(est|gss|htc|htg|pat|sts|tsa|wgs|con)_", "_", wanted)
    return without_class if without_class in names else next(iter(nearest(wanted, names, 1)), None)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _read(path: Path) -> tuple[float, tuple[ParameterValue, ...] | None]:
    """Time and values of a cache file; None for the values if it is missing or damaged."""
    try:
        data = json.loads(path.read_bytes())
        values = tuple(
            ParameterValue(**{**each, "contexts": tuple(each["contexts"])})
            for each in data["values"]
        )
        return datetime.fromisoformat(data["asked"]).timestamp(), values
    except (OSError, ValueError, LookupError, TypeError):
        return 0.0, None


def _write(path: Path, when: float, values: Sequence[ParameterValue]) -> None:
    asked = datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds")
    document = {"asked": asked, "values": [asdict(value) for value in values]}
    with suppress(RunError):  # without a cache the search goes on, at the cost of a request
        make_folder(path.parent)
        write_atomically(path, json.dumps(document, indent=1).encode())


_ALPHABETS = {"dna": "ACGTURYSWKMBDHVN", "protein": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_NUMBER = re.compile(r"[-+]?\d+")


@dataclass(frozen=True)
class JobForms:
    """The job forms of a search: the same for all queries but for the sequence."""

    tool: str
    letters: Residues
    settings: dict[str, str | list[str]]
    """All fields but the sequence."""
    labels: tuple[str, ...]
    """Display names of the databases."""

    def form(self, query: Query) -> dict[str, str | list[str]]:
        """A query in, its form without the e-mail address out. The query's name is not sent."""
        bases = query.bases.upper()
        if self.letters == "dna":
            bases = bases.replace("U", "T")
        return {**self.settings, "sequence": fasta_record("query", bases).rstrip("\n")}


def prepare(
    tool: str,
    letters: Residues,
    databases: Sequence[str],
    parameters: SearchLimits,
    catalogue: ServiceMetadata,
) -> JobForms:
    """Search parameters in, job forms in the service's terms out.

    `SearchLimits` have refused scores and gap costs for which BLAST has no statistics. The service
    would accept them, queue the job and fail.

    Raises:
        ConfigError: If the service does not offer a value; the message lists what it offers.
        Transient: If the service cannot be reached and nothing is cached.
    """
    if not databases:
        raise ConfigError("no database is named; give --database")
    found = [catalogue.database(name, letters) for name in databases]
    shared: dict[str, str | list[str]] = {
        "title": "seqforge",
        "stype": letters,
        "database": [each.value for each in found],
    }
    for name in ("scores", "alignments"):  # the service takes the larger of the two
        shared[name] = at_least(name, "the number of hits", parameters.max_hits, catalogue)
    if tool == "ncbiblast":
        own = _blast(letters, parameters, catalogue)
    elif tool == "fasta":
        own = _fasta(letters, parameters, catalogue)
    else:
        raise ConfigError(f"no search is known for the tool {tool}; take ncbiblast or fasta")
    return JobForms(tool, letters, {**shared, **own}, tuple(each.label for each in found))


def _blast(letters: Residues, parameters: SearchLimits, offered: ServiceMetadata) -> dict[str, str]:
    program = "blastn" if letters == "dna" else "blastp"
    form = {
        "program": program,
        "task": program,
        "exp": at_least("exp", "--evalue", parameters.evalue, offered),
        # The default is T for nucleotides.
        "filter": _choice("filter", "T" if parameters.dust else "F", "--dust", offered),
    }
    if letters == "dna" and isinstance(parameters, SearchParameters):
        scores = f"{parameters.reward},{parameters.penalty}"
        opening, extension = str(parameters.gap_open), str(parameters.gap_extend)
        form["match_scores"] = _choice("match_scores", scores, "--match-scores", offered)
        form["gapopen"] = _choice("gapopen", opening, "--gaps", offered)
        form["gapext"] = _choice("gapext", extension, "--gaps", offered)
    elif isinstance(parameters, ProteinParameters):
        form["matrix"] = _choice("matrix", parameters.matrix, "the matrix", offered)
        form["gapopen"] = _choice("gapopen", str(parameters.gap_open), "--gaps", offered)
        form["gapext"] = _choice("gapext", str(parameters.gap_extend), "--gaps", offered)
        form["compstats"] = _choice("compstats", "F", "no adjustment to composition", offered)
    return form


def _fasta(letters: Residues, parameters: SearchLimits, offered: ServiceMetadata) -> dict[str, str]:
    if parameters.dust:
        raise ConfigError("EMBL-EBI's fasta has no DUST; leave --dust out, or take ncbiblast")
    form = {
        "program": "fasta",
        "expupperlim": at_least("expupperlim", "--evalue", parameters.evalue, offered),
        "filter": _choice("filter", "none", "--dust", offered),
    }
    if letters == "dna" and isinstance(parameters, SearchParameters):
        scores = f"{parameters.reward},{parameters.penalty}"
        # Here gapopen is the whole cost of a gap's first residue, and costs are negative.
        first = str(-(parameters.gap_open + parameters.gap_extend))
        following = str(-parameters.gap_extend)
        form["match_scores"] = _choice("match_scores", scores, "--match-scores", offered)
        form["gapopen"] = _choice("gapopen", first, "--gaps", offered)
        form["gapext"] = _choice("gapext", following, "--gaps", offered)
    return form


def at_least(parameter: str, option: str, wanted: float, catalogue: ServiceMetadata) -> str:
    """The smallest offered value that is at least ``wanted``, as the service writes it.

    The search then finds at least what was requested; the surplus is dropped here.

    Raises:
        ConfigError: If all offered values are smaller.
    """
    offered = [(_float(each.value), each.value) for each in catalogue.values(parameter)]
    if not offered:
        return f"{wanted:g}"
    enough = [(number, text) for number, text in offered if number >= wanted * (1 - 1e-9)]
    if not enough:
        highest = max(offered)[1]
        raise ConfigError(f"{option} {wanted:g} is above what EMBL-EBI offers, at most {highest}")
    return min(enough)[1]


def _choice(parameter: str, wanted: str, option: str, catalogue: ServiceMetadata) -> str:
    """The offered value equal to ``wanted``, compared as text, then by its numbers."""
    offered = catalogue.values(parameter)
    for same in (_letters, _numbers, _magnitudes):
        for each in offered:
            if same(each.value) and same(each.value) == same(wanted):
                return each.value
    if not offered:
        return wanted
    raise ConfigError(
        f"{option} {wanted} is not offered by EMBL-EBI for {parameter}; it offers "
        f"{_listed(offered)}"
    )


def check_query(query: Query, letters: Residues) -> None:
    """Check a query's residues: the service does not validate them, its job would fail.

    Raises:
        InputError: If a letter is not a nucleotide or amino acid, with its position.
    """
    bases = query.bases.upper()
    if letters == "protein" and seem_bases(bases):
        raise InputError(
            f"{query.id}: these are nucleotides, and proteins are to be searched, so nothing was "
            "sent; translate the sequence or search nucleotides"
        )
    for place, letter in enumerate(bases, 1):
        if letter not in _ALPHABETS[letters]:
            kind = "nucleotide" if letters == "dna" else "amino acid"
            raise InputError(
                f"{query.id}: letter {place}, {letter!r}, is no {kind}, so nothing was sent; "
                f"clean the sequence{' or search proteins' if letters == 'dna' else ''}"
            )


def key_of(service: str, form: Form) -> str:
    """Service (with tool) and form in, the search's key out: equal keys mean equal searches."""
    document = json.dumps([service, sorted(form.items())], sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()


def _listed(offered: Iterable[ParameterValue]) -> str:
    return " ".join(each.value for each in offered)


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("-inf")


def _letters(text: str) -> object:
    return text


def _numbers(text: str) -> object:
    return [int(number) for number in _NUMBER.findall(text)]


def _magnitudes(text: str) -> object:
    return [abs(number) for number in map(int, _NUMBER.findall(text))]
