"""What the service offers: tools, their parameters with values and defaults, and databases.

Values and defaults are those of EBI's own clients; labels, which come back in error texts, are
inferred.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from tests.ebi_double.wire import XML


def _words(text: str) -> list[str]:
    return text.split()


_COUNTS = _words("0 5 10 20 50 100 150 200 250 500 750 1000")
_EXP = _words("1e-200 1e-100 1e-50 1e-10 1e-5 1e-4 1e-3 1e-2 1e-1 1.0 10 100 1000")
_PAIRS = _words("1,-4 2,-7 1,-3 2,-5 1,-2 2,-3 1,-1 5,-4 4,-5")
_FASTA_PAIRS = ["+5/-4", *("+" + pair.replace(",", "/") for pair in _PAIRS if pair != "5,-4")]
_BLAST_MATRICES = _words("BLOSUM45 BLOSUM50 BLOSUM62 BLOSUM80 BLOSUM90 PAM30 PAM70 PAM250 NONE")
_FASTA_MATRICES = _words("BL50 BP62 BL80 P120 P250 MD10 MD20 MD40 OPT5 NONE")
_WHOLE = [str(number) for number in range(22)]

NUCLEOTIDE = {
    "em_all": "ENA Sequence",
    "em_inv": "ENA Sequence Invertebrate",
    "em_std": "ENA Sequence Standard",
    "em_std_fun": "ENA Sequence Standard Fungi",
    "em_std_hum": "ENA Sequence Standard Human",
    "em_std_inv": "ENA Sequence Standard Invertebrate",
    "em_std_mam": "ENA Sequence Standard Mammal",
    "em_std_mus": "ENA Sequence Standard Mouse",
    "em_std_pln": "ENA Sequence Standard Plant",
    "em_std_pro": "ENA Sequence Standard Prokaryote",
    "em_std_rod": "ENA Sequence Standard Rodent",
    "em_std_vrt": "ENA Sequence Standard Vertebrate",
    "em_cds_std_inv": "ENA Coding Standard Invertebrate",
}
PROTEIN = {
    "uniprotkb": "UniProt Knowledgebase",
    "uniprotkb_swissprot": "UniProtKB/Swiss-Prot",
    "pdb": "Protein Structure Sequences",
}


@dataclass(frozen=True)
class Value:
    """One of a parameter's values."""

    label: str
    value: str
    default: bool = False
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Parameter:
    """What /parameterdetails says of one."""

    name: str
    label: str
    type: str = "STRING"
    values: tuple[Value, ...] = ()
    restricted: bool = True
    """Whether only these values are allowed, where there are any."""
    required: bool = False

    def allows(self, value: str) -> bool:
        """Whether the service takes it."""
        if not self.values or not self.restricted:
            return self.type != "INTEGER" or value.lstrip("-").isdigit()
        return any(value == allowed.value for allowed in self.values)

    def as_json(self) -> bytes:
        """The document for ``Accept: application/json``."""
        values = [
            {
                "label": value.label,
                "value": value.value,
                "defaultValue": value.default,
                "properties": {
                    "properties": [{"key": k, "value": v} for k, v in value.properties.items()]
                },
            }
            for value in self.values
        ]
        document = {"name": self.name, "description": self.label, "type": self.type}
        return json.dumps({**document, "values": {"values": values}}).encode()

    def as_xml(self) -> bytes:
        """The document that comes without a word."""
        values = "".join(
            f"<value><label>{escape(value.label)}</label><value>{escape(value.value)}</value>"
            f"<defaultValue>{str(value.default).lower()}</defaultValue><properties>"
            + "".join(
                f"<property><key>{k}</key><value>{v}</value></property>"
                for k, v in value.properties.items()
            )
            + "</properties></value>\n"
            for value in self.values
        )
        head = f"<name>{self.name}</name><description>{self.label}</description>"
        return (
            f"{XML}<parameter>{head}<type>{self.type}</type><values>{values}</values></parameter>"
        ).encode()


def _one_of(
    name: str, label: str, values: Sequence[str], default: str, type_: str = "STRING"
) -> Parameter:
    made = tuple(Value(value, value, value == default) for value in values)
    return Parameter(name, label, type_, made)


def _free(name: str, label: str, type_: str = "STRING", *, required: bool = False) -> Parameter:
    return Parameter(name, label, type_, required=required)


def _per_context(name: str, label: str, defaults: Mapping[str, str]) -> Parameter:
    """A parameter whose default differs between nucleotides and proteins."""
    values = [
        Value(value, value, context == "nucleotide", {"defaultValueContexts": context})
        for context, value in defaults.items()
    ]
    return Parameter(name, label, values=tuple(values))


def _common() -> list[Parameter]:
    return [
        _one_of("alignments", "Alignments", _COUNTS, "50", "INTEGER"),
        _one_of("scores", "Scores", _COUNTS, "50", "INTEGER"),
        _free("seqrange", "Sequence Range"),
        _free("sequence", "Sequence", required=True),
    ]


def _ncbiblast() -> list[Parameter]:
    programs = _words("blastp blastx blastn tblastx tblastn")
    return [
        Parameter("program", "Program", values=tuple(Value(p, p) for p in programs), required=True),
        _one_of("task", "Task", ["blastn", "blastp", "megablast"], "blastn"),
        _one_of("matrix", "Matrix", _BLAST_MATRICES, "BLOSUM62"),
        _one_of("exp", "Expectation value threshold", _EXP, "10", "DOUBLE"),
        _one_of("dropoff", "Drop off", _words("0 2 4 6 8 10"), "0", "INTEGER"),
        _one_of("gapopen", "Gap open", ["-1", *_WHOLE, "25"], "-1", "INTEGER"),
        _one_of("gapext", "Gap extend", _words("-1 0 1 2 3 4 5 6 8 10"), "-1", "INTEGER"),
        _one_of("match_scores", "Match/mismatch scores", _PAIRS, "1,-3"),
        _per_context("filter", "Filter", {"nucleotide": "T", "protein": "F"}),
        _one_of("gapalign", "Gap align", ["true", "false"], "true", "BOOLEAN"),
        _one_of("compstats", "Compositional adjustments", _words("F D 1 2 3"), "F"),
        _one_of("align", "Align views", [str(n) for n in range(13)], "0", "INTEGER"),
        _free("hsps", "HSPs", "INTEGER"),
        _free("wordsize", "Word size", "INTEGER"),
        _free("taxids", "Taxonomy"),
        _free("negative_taxids", "Negative taxonomy"),
        _one_of("transltable", "Translation table", [str(n) for n in range(1, 7)], "1", "INTEGER"),
        _stype(),
        *_common(),
    ]


def _fasta() -> list[Parameter]:
    programs = _words("fasta fastx fasty ssearch ggsearch glsearch tfastx tfasty")
    numbers = [str(number) for number in range(0, -30, -1)]
    return [
        Parameter("program", "Program", values=tuple(Value(p, p) for p in programs), required=True),
        _one_of("matrix", "Matrix", _FASTA_MATRICES, "BL50"),
        _one_of("gapopen", "Gap open", numbers, "-14", "INTEGER"),
        _one_of("gapext", "Gap extend", numbers[:17], "-4", "INTEGER"),
        # How fasta36 writes them; that the service does too is inferred.
        _one_of("match_scores", "Match/mismatch scores", _FASTA_PAIRS, "+5/-4"),
        _one_of("hsps", "Multi HSPs", ["true", "false"], "false", "BOOLEAN"),
        _free("expupperlim", "Expectation upper limit", "DOUBLE"),
        _free("explowlim", "Expectation lower limit", "DOUBLE"),
        _one_of("strand", "DNA Strand", ["both", "top", "bottom"], "both"),
        _one_of("hist", "Histogram", ["true", "false"], "false", "BOOLEAN"),
        _one_of("stats", "Statistical estimates", _words("1 2 3 4 5 11 12 13 14 15"), "1"),
        _one_of("ktup", "KTUP", _words("1 2 3 4 5 6"), "6", "INTEGER"),
        _one_of("filter", "Filter", ["none", "seg", "xnu", "seg+xnu"], "none"),
        _free("dbrange", "Database range"),
        _stype(),
        *_common(),
    ]


def _stype() -> Parameter:
    kinds = {"dna": "DNA", "rna": "RNA", "protein": "Protein"}
    values = tuple(Value(label, value, value == "dna") for value, label in kinds.items())
    return Parameter("stype", "Sequence type", values=values, required=True)


class Offer:
    """The tools and today's databases, which may change while the server runs."""

    def __init__(self) -> None:
        self._tools = {"ncbiblast": _ncbiblast(), "fasta": _fasta()}
        self.databases = {
            **{name: (label, "nucleotide") for name, label in NUCLEOTIDE.items()},
            **{name: (label, "protein") for name, label in PROTEIN.items()},
        }

    def tools(self) -> list[str]:
        """The names in the addresses."""
        return list(self._tools)

    def parameters(self, tool: str) -> list[Parameter]:
        """All of a tool's parameters, the databases of this moment among them."""
        values = [
            Value(label, name, properties={"contexts": context})
            for name, (label, context) in self.databases.items()
        ]
        database = Parameter("database", "Database", values=tuple(values), required=True)
        return [*self._tools[tool], database]

    def change_databases(
        self, *, remove: Sequence[str] = (), add: Mapping[str, str] | None = None
    ) -> None:
        """Retire some, and offer new ones (name -> label) for nucleotides."""
        for name in remove:
            del self.databases[name]
        for name, label in (add or {}).items():
            self.databases[name] = (label, "nucleotide")
