"""seqforge blast: FASTA samples in, similar sequences of a library out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from seqforge.base.paths import folder_named
from seqforge.base.tables import wrapped
from seqforge.cli.app import app
from seqforge.cli.console import echo, echo_data, echo_path, open_page, screen_width
from seqforge.cli.options import Encoding, Json, Open, Quiet, Verbose, await_stdin
from seqforge.cli.sample_output import output_folder
from seqforge.errors import ConfigError, RunError, Unfinished

if TYPE_CHECKING:
    from seqforge.cli.blast_backends import AtEbi, Library
    from seqforge.domains.genome.similarity.backends import SearchBackend
    from seqforge.domains.genome.similarity.controls import Controls
    from seqforge.domains.genome.similarity.parameters import Residues, SearchLimits
    from seqforge.runs.progress import ProgressListener

    MadeOf = Callable[[Library], tuple[list[Path], Controls | None]]

_REMARKS = 5
_HOME, _EBI, _SCORES = "Local search", "Search at EMBL-EBI", "Scores and filters"

Samples = Annotated[Path, typer.Argument(metavar="SAMPLES.fa", help="Query sequences.")]
Against = Annotated[
    list[Path] | None,
    typer.Option(metavar="LIB.fa|RUN", rich_help_panel=_HOME,
                 help="Library: FASTA or GenBank, compressed or not; RUN: its training data."),
]  # fmt: skip
BackendName = Annotated[
    Literal["auto", "local", "blast+", "ebi"],
    typer.Option("--backend",
                 help="local: Smith-Waterman; blast+: NCBI's own; ebi: EMBL-EBI; auto: local with "
                      "--against, ebi with an e-mail address or consent, else local in the library "
                      "at hand."),
]  # fmt: skip
Database = Annotated[
    list[str] | None,
    typer.Option(rich_help_panel=_EBI, help="Database (default: that of the settings, else "
                 "em_std_inv)."),
]  # fmt: skip
Email = Annotated[
    str | None,
    typer.Option(rich_help_panel=_EBI, help="Address that the service requires (default: "
                 "SEQFORGE_EMAIL, else that of the settings)."),
]  # fmt: skip
Yes = Annotated[bool, typer.Option("--yes", rich_help_panel=_EBI, help="Send without asking.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", rich_help_panel=_EBI, help="Show what would be sent; send nothing."),
]
Deadline = Annotated[
    str,
    typer.Option(rich_help_panel=_EBI, help="Longest wait; the same command resumes later."),
]
Tool = Annotated[
    Literal["ncbiblast", "fasta"], typer.Option(rich_help_panel=_EBI, help="Search program.")
]
Protein = Annotated[
    bool, typer.Option("--protein", help="The samples are proteins: blastp, BLOSUM62.")
]
Resubmit = Annotated[
    list[str] | None,
    typer.Option(metavar="SAMPLE", rich_help_panel=_EBI,
                 help="Send this sample (or all) again after a failure or an unknown outcome."),
]  # fmt: skip
BaseUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", rich_help_panel=_EBI, help="Address of another service."),
]
ControlKinds = Annotated[
    str | None,
    typer.Option("--controls", metavar="KINDS",
                 help="Also search control sequences: some of shuffle,markov,real."),
]  # fmt: skip
HeldOutFile = Annotated[
    Path | None,
    typer.Option("--held-out", metavar="FASTA", help="Held-out sequence that the library lacks, "
                 "for --controls real."),
]  # fmt: skip
Evalue = Annotated[
    float, typer.Option(min=0, rich_help_panel=_SCORES, help="Show hits up to this E-value.")
]
MaxHits = Annotated[
    int,
    typer.Option(min=1, rich_help_panel=_SCORES, help="Library sequences kept per query."),
]
MaxHsps = Annotated[
    int, typer.Option(min=1, rich_help_panel=_SCORES, help="Alignments kept per library sequence.")
]
MatchScores = Annotated[
    str,
    typer.Option(rich_help_panel=_SCORES, help="Match reward and mismatch penalty of bases."),
]
Gaps = Annotated[
    str | None,
    typer.Option(rich_help_panel=_SCORES,
                 help="Gap costs: to open, and per letter (default 5,2; of proteins 11,1)."),
]  # fmt: skip
Dust = Annotated[
    bool,
    typer.Option(
        "--dust", rich_help_panel=_SCORES, help="Mask low-complexity sequence: DUST, SEG."
    ),
]
Folder = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder for hits.tsv, hits.json, alignments.")
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Resume a stopped search (as the same command does anyway)."),
]


@app.command()
def blast(
    samples: Samples,
    against: Against = None,
    backend: BackendName = "auto",
    database: Database = None,
    email: Email = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    deadline: Deadline = "30m",
    tool: Tool = "ncbiblast",
    protein: Protein = False,
    resubmit: Resubmit = None,
    base_url: BaseUrl = None,
    controls: ControlKinds = None,
    held_out: HeldOutFile = None,
    evalue: Evalue = 10.0,
    max_hits: MaxHits = 50,
    max_hsps: MaxHsps = 5,
    match_scores: MatchScores = "1,-3",
    gaps: Gaps = None,
    dust: Dust = False,
    out: Folder = None,
    resume: Resume = False,
    encoding: Encoding = "",
    open_: Open = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Search a sequence library, or EMBL-EBI, for sequences like your samples."""
    from seqforge.cli.blast_backends import AtEbi, Library, with_controls
    from seqforge.cli.progress import make_watcher

    _check(locals())
    folder_named(out)
    letters: Residues = "protein" if protein else "dna"
    limits = {"evalue": evalue, "dust": dust, "max_hits": max_hits, "max_hsps": max_hsps}
    parameters = _parameters(letters, match_scores, gaps, limits)
    await_stdin(samples, against, held_out)
    folder = out or _folder_of(samples)
    asked = AtEbi(samples, database, deadline, tool, protein, resubmit, base_url, quiet)

    def made_of(library: Library) -> tuple[list[Path], Controls | None]:
        return with_controls(controls, held_out, samples, library, folder, letters)

    if dry_run:
        echo(asked.dry_run(email, parameters, made_of(Library(()))[1]))
        return
    search = partial(
        _search, samples, folder=folder, parameters=parameters,
        watcher=make_watcher(quiet or json_, verbose), json_=json_, verbose=verbose, open_=open_,
    )  # fmt: skip
    places = _Places(samples, asked, email, yes, folder, made_of, search, quiet, letters)
    with output_folder(folder, _FILES, timed=["hits.json"], quiet=quiet):
        if backend == "ebi" or resubmit:
            places.at_ebi()
        elif against or backend != "auto":
            places.at_home(backend, against)
        elif why := places.not_at_ebi():
            places.at_home("local", None, why)


_FILES = (
    r"report\.html|hits\.(tsv|json)|alignments\.txt|controls\.(tsv|json|fa|svg)|training\.fa\.gz|"
    r"searched\.jsonl"
)
"""Names of what a search leaves; `jobs.sqlite` looks after itself."""


@dataclass(frozen=True)
class _Places:
    """Local search and EMBL-EBI."""

    samples: Path
    asked: AtEbi
    email: str | None
    yes: bool
    folder: Path
    made_of: MadeOf
    search: Callable[..., None]
    quiet: bool
    letters: Residues

    def at_home(self, name: str, against: Sequence[Path] | None, why: str = "") -> None:
        """Search on this machine; a library that nobody named is said, and ``why`` it is here."""
        from seqforge.cli.blast_backends import at_home, library_at_hand, named_library
        from seqforge.domains.genome.similarity.backends import resumable

        if against:
            library = named_library(against, self.folder, self.letters)
        else:
            library = library_at_hand(self.samples, self.folder, self.letters)
        files, wanted = self.made_of(library)
        if library.what and not self.quiet:
            echo(f"searching here, in {library.what}; --against FASTA searches another", err=True)
            if why:
                echo(why, err=True)
        try:
            with resumable(at_home(name, files, self.letters), self.folder) as searcher:
                self.search(searcher, wanted)
        except KeyboardInterrupt:
            echo("what was found is kept; the same command goes on", err=True)
            raise

    def at_ebi(self) -> None:
        """Search at EMBL-EBI, as was asked for."""
        from seqforge.cli.blast_backends import Library

        _, wanted = self.made_of(Library(()))
        with self.asked.opened(self.email, self.yes, self.folder, wanted) as searcher:
            self.search(searcher, wanted)

    def not_at_ebi(self) -> str:
        """Search at EMBL-EBI if there is an address or consent.

        Returns:
            Nothing, or why it was not done.
        """
        from seqforge.cli.blast_backends import Library, library_at_hand
        from seqforge.cli.config import NothingSent, can_ask, wanted_elsewhere
        from seqforge.domains.genome.ebi.errors import EbiError
        from seqforge.domains.genome.ebi.settings import email_address

        if not self.email and email_address() is None:
            leaving = self.asked.leaving(None)
            if not can_ask():
                how = "--email, or once and for all `seqforge config set email ...`"
                return f"nothing was sent: {leaving} takes an address ({how})"
            at_hand = library_at_hand(self.samples, self.folder, self.letters)
            if not wanted_elsewhere(leaving, at_hand.what):
                return "nothing was sent"
        try:
            _, wanted = self.made_of(Library(()))
        except ConfigError as error:  # controls of a library, and there is none there
            return f"nothing was sent: {error}"
        try:
            with self.asked.opened(
                self.email, self.yes, self.folder, wanted, knocking=True
            ) as searcher:
                self.search(searcher, wanted)
        except NothingSent:
            return "nothing was sent"
        except (EbiError, RunError, Unfinished) as error:
            if self.asked.accepted(self.folder):
                raise
            return f"nothing was sent: {error}"
        return ""


def _folder_of(samples: Path) -> Path:
    """The default folder of hits: beside the samples; the current one for a pipe."""
    from seqforge.base.paths import is_piped

    if is_piped(samples):
        return Path("samples-similarity")
    return samples.with_name(f"{samples.stem}-similarity")


_AT_EBI = ("database", "email", "yes", "dry_run", "deadline", "tool", "resubmit", "base_url")
"""Options that mean nothing at home; silence about one of them would be a lie."""


def _check(options: dict[str, Any]) -> None:
    """Refuse options that do not go together.

    Raises:
        ConfigError: Says what.
    """
    plain = {option: known.default for option, known in signature(blast).parameters.items()}
    name = options["backend"]
    if options["protein"] and options["match_scores"] != plain["match_scores"]:
        raise ConfigError("--match-scores are of nucleotides; proteins are scored by BLOSUM62")
    if name == "ebi" and options["against"]:
        raise ConfigError("--against is a local library, which --backend ebi does not search")
    if name in ("auto", "ebi") and not options["against"]:
        return
    for option in _AT_EBI:
        if options[option] != plain[option]:
            flag = f"--{option.replace('_', '-')}"
            how = "local" if name == "auto" else name
            raise ConfigError(f"{flag} is for EMBL-EBI; nothing is sent by --backend {how}")


def _search(
    samples: Path, searcher: SearchBackend, controls: Any, *, folder: Path,
    parameters: SearchLimits, watcher: ProgressListener, json_: bool, verbose: bool,
    open_: bool,
) -> None:  # fmt: skip
    """Search, write the results, and print them."""
    from seqforge.base.messages import collected_remarks
    from seqforge.domains.genome.search import search_files, search_with_controls

    if verbose:
        watcher.note(f"searching with {searcher.name}, kept in {folder}: {parameters.said()}")
    watcher.stage("searching")
    given = (parameters, watcher.advance)
    try:
        with collected_remarks() as remarks:
            if controls is None:
                found: Any = search_files([samples], searcher, folder, *given)
            else:
                found = search_with_controls([samples], searcher, folder, controls, *given)
        for sentence in _few(list(remarks)):
            watcher.note(sentence)
        page = _page(samples, found, folder)
        if open_:
            open_page(page)
    finally:
        watcher.close()
    if json_:
        document = json.loads((folder / "hits.json").read_text(encoding="utf-8"))
        if controls is not None:
            document["controls"] = found.summary()["controls"]
        echo_data(json.dumps(document, indent=2))
        return
    width = screen_width()
    echo(found.table(width))
    for sentence in (found.sentence(), parameters.said(), *found.notes()):
        echo(wrapped(sentence, width))
    for path in (*found.files, page):
        echo_path(path)


def _page(samples: Path, found: Any, folder: Path) -> Path:
    """What was found in, its page written; returns where."""
    from seqforge.base.messages import one_line
    from seqforge.domains.genome.similarity.hits_section import hits_section, read_hits
    from seqforge.domains.genome.similarity.kinds import kind_of
    from seqforge.reporting.similarity import write_search_page

    page, title = folder / "report.html", f"{one_line(samples.name)}, searched"
    results = read_hits(folder / "hits.json")
    hits, kind = hits_section(results), kind_of(results[0].letters)
    write_search_page(
        page, title, found.summary(), hits, found.files, kind.wordings, unit=kind.unit
    )
    return page


def _few(sentences: list[str]) -> list[str]:
    """The first of what is to be said of samples and library, and how much more there is."""
    more = len(sentences) - _REMARKS
    return [*sentences[:_REMARKS], *([f"and {more} more like these"] if more > 0 else [])]


def _parameters(
    letters: Residues, match_scores: str, gaps: str | None, limits: dict[str, Any]
) -> SearchLimits:
    from seqforge.domains.genome.similarity.parameters import ProteinParameters, SearchParameters

    if letters == "protein":
        gap_open, gap_extend = _pair(gaps or "11,1", "--gaps 11,1")
        return ProteinParameters(gap_open=gap_open, gap_extend=gap_extend, **limits)
    reward, penalty = _pair(match_scores, "--match-scores 1,-3")
    gap_open, gap_extend = _pair(gaps or "5,2", "--gaps 5,2")
    return SearchParameters(
        reward=reward, penalty=penalty, gap_open=gap_open, gap_extend=gap_extend, **limits
    )


def _pair(text: str, example: str) -> tuple[int, int]:
    try:
        first, second = (int(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"two whole numbers are wanted: {example}") from None
    return first, second
