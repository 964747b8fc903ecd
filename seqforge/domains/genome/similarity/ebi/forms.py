"""What would be sent for a query: everything checked and put in the service's own words first."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seqforge.domains.genome.similarity.ebi.catalogue import Catalogue
from seqforge.domains.genome.similarity.ebi.client import Form
from seqforge.domains.genome.similarity.ebi.details import Value
from seqforge.domains.genome.similarity.parameters import Letters, Query, SearchParameters
from seqforge.errors import ConfigError, InputError

_ALPHABETS = {"dna": "ACGTURYSWKMBDHVN", "protein": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_NUMBER = re.compile(r"[-+]?\d+")
_LINE = 60
_SURELY = 50  # no protein has so many of A, C, G and T alone


@dataclass(frozen=True)
class Forms:
    """Makes the forms of one search: the same for all queries but for the sequence."""

    tool: str
    letters: Letters
    settings: dict[str, str | list[str]]
    """All but the sequence."""
    labels: tuple[str, ...]
    """The databases as the service calls them for people."""

    def form(self, query: Query) -> dict[str, str | list[str]]:
        """What is sent for a query, but for the e-mail address.

        The query's own name stays here: the service needs none.
        """
        bases = query.bases.upper()
        if self.letters == "dna":
            bases = bases.replace("U", "T")
        lines = [bases[at : at + _LINE] for at in range(0, len(bases), _LINE)]
        return {**self.settings, "sequence": "\n".join([">query", *lines])}


def prepare(
    tool: str,
    letters: Letters,
    databases: Sequence[str],
    parameters: SearchParameters,
    catalogue: Catalogue,
) -> Forms:
    """Put what is asked in the service's words.

    Scores and gap costs that blastn has no statistics for cannot get here: `SearchParameters`
    refuses them. At the service they would pass validation, wait, and end in an error.

    Raises:
        ConfigError: If the service does not offer it, with what it offers.
        Transient: If the service cannot be asked and nothing is remembered.
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
    return Forms(tool, letters, {**shared, **own}, tuple(each.label for each in found))


def _blast(letters: Letters, parameters: SearchParameters, offered: Catalogue) -> dict[str, str]:
    program = "blastn" if letters == "dna" else "blastp"
    form = {
        "program": program,
        "task": program,
        "exp": at_least("exp", "--evalue", parameters.evalue, offered),
        # Left out, it would be T for nucleotides.
        "filter": _choice("filter", "T" if parameters.dust else "F", "--dust", offered),
    }
    if letters == "dna":
        scores = f"{parameters.reward},{parameters.penalty}"
        opening, extension = str(parameters.gap_open), str(parameters.gap_extend)
        form["match_scores"] = _choice("match_scores", scores, "--match-scores", offered)
        form["gapopen"] = _choice("gapopen", opening, "--gaps", offered)
        form["gapext"] = _choice("gapext", extension, "--gaps", offered)
    return form


def _fasta(letters: Letters, parameters: SearchParameters, offered: Catalogue) -> dict[str, str]:
    if parameters.dust:
        raise ConfigError("EMBL-EBI's fasta has no DUST; leave --dust out, or take ncbiblast")
    form = {
        "program": "fasta",
        "expupperlim": at_least("expupperlim", "--evalue", parameters.evalue, offered),
        "filter": _choice("filter", "none", "--dust", offered),
    }
    if letters == "dna":
        scores = f"{parameters.reward},{parameters.penalty}"
        # This tool's first cost is that of a gap's first letter, and costs are below 0.
        first = str(-(parameters.gap_open + parameters.gap_extend))
        following = str(-parameters.gap_extend)
        form["match_scores"] = _choice("match_scores", scores, "--match-scores", offered)
        form["gapopen"] = _choice("gapopen", first, "--gaps", offered)
        form["gapext"] = _choice("gapext", following, "--gaps", offered)
    return form


def at_least(parameter: str, option: str, wanted: float, catalogue: Catalogue) -> str:
    """The least value offered that is no less than ``wanted``, in the service's letters.

    A little more than was asked is found, never less; what is too much is dropped here.

    Raises:
        ConfigError: If all that is offered is less.
    """
    offered = [(_float(each.value), each.value) for each in catalogue.values(parameter)]
    if not offered:
        return f"{wanted:g}"
    enough = [(number, text) for number, text in offered if number >= wanted * (1 - 1e-9)]
    if not enough:
        highest = max(offered)[1]
        raise ConfigError(
            f"{option} {wanted:g} is more than EMBL-EBI offers; its most is {highest}"
        )
    return min(enough)[1]


def _choice(parameter: str, wanted: str, option: str, catalogue: Catalogue) -> str:
    """The value offered that says the same as ``wanted``: by its letters, else its numbers."""
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


def check_query(query: Query, letters: Letters) -> None:
    """The service does not check letters, it only fails later; so they are checked here.

    Raises:
        InputError: If a letter is no nucleotide or amino acid, with its place.
    """
    bases = query.bases.upper()
    if letters == "protein" and len(bases) >= _SURELY and not bases.strip("ACGTUN"):
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
    """What makes two searches the same: service with tool, sequence, databases, parameters."""
    document = json.dumps([service, sorted(form.items())], sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()


def _listed(offered: Iterable[Value]) -> str:
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
