"""A run summary in, what stands above the sections of its page out: verdict, files, what next."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from seqforge.base.messages import bits, format_number, visible_controls
from seqforge.reporting.sections import BaselineComparison, done
from seqforge.reporting.summary import Chip, RunSummary, ShownSamples, Verdict
from seqforge.reporting.verdict import longer_budget

_SECTIONS = {
    "beats baselines": ("baselines",),
    "enough training": ("learning",),
    "over-fitting": ("learning",),
    "copies": ("measures",),
    "like chance": ("similarity", "measures"),
    "refused files": ("files",),
}
"""Where a page has the numbers of each check."""
_STATES = {"good": "pass", "look": "look", "not yet": "fail"}
_MOST_SAMPLES = 4
_BEGINNING = 200
"""Characters of a sample above the sections."""
_FILES = (
    ("hits", "similarity/hits.tsv"),
    ("alignments", "similarity/alignments.txt"),
    ("model", "model.safetensors"),
    ("summary", "summary.json"),
    ("evaluations", "metrics.jsonl"),
    ("files read", "ingest.tsv"),
)


@dataclass(frozen=True)
class Link:
    """A file beside the page."""

    label: str
    address: str
    """Relative URL; empty if the name cannot be one."""


@dataclass(frozen=True)
class ShownChip:
    """A check, and where its numbers are."""

    name: str
    state: str
    figure: str
    threshold: str
    section: str


@dataclass(frozen=True)
class Step:
    """A command to try next."""

    command: str
    why: str


@dataclass(frozen=True)
class FirstScreen:
    """What the template shows above the sections."""

    name: str
    subtitle: str
    unit: str
    done: str
    bits: str
    """Empty where nothing was scored."""
    part: str
    how: str
    """What was scored, if not the network alone."""
    caveat: str
    guessing: str
    saved: str
    unscored: str
    verdict: Verdict | None
    state: str
    """Class of the verdict's colour."""
    chips: Sequence[ShownChip]
    drawn_at: str
    drawn: str
    """The beginning of a sample."""
    downloads: Sequence[Link]
    next: Sequence[Step]

    @classmethod
    def of(
        cls, summary: RunSummary, samples: Sequence[ShownSamples], sections: Sequence[str],
        folder: Path, at: Path, commands: Sequence[tuple[str, str]] = (),
    ) -> FirstScreen:  # fmt: skip
        """A summary in, its first screen out.

        Args:
            summary: Of the run.
            samples: Shown on the page.
            sections: Names of the sections that the page has.
            folder: The run's.
            at: Where the page goes; links lead from there.
            commands: To try next beside those for any run.
        """
        comparison, found = BaselineComparison.of(summary), summary.verdict
        model, guessing = comparison.model, comparison.uniform
        mixed = summary.headline is not None and summary.headline.what == "network+memory"
        shown = samples[len(samples) // 2] if samples else None
        learns = f": network and memory, which learns from each {summary.unit} once it is scored"
        return cls(
            name=summary.name,
            subtitle=subtitle(summary),
            unit=summary.unit,
            done=done(summary),
            bits="" if model is None else bits(model),
            part=part_name(comparison.part),
            how=learns if mixed else "",
            caveat=" ".join(filter(None, (_spelled(summary), comparison.caveat(summary.unit)))),
            guessing=bits(guessing),
            saved="" if model is None or model >= guessing else bits(guessing - model),
            unscored=" ".join(comparison.sentences(summary.unit)) if model is None else "",
            verdict=found,
            state="" if found is None else _STATES[found.word],
            chips=[] if found is None else [_shown(chip, sections) for chip in found.chips],
            drawn_at="" if shown is None else format_number(shown.temperature),
            drawn="" if shown is None else beginning(shown.text),
            downloads=list(_downloads(summary, folder, at)),
            next=next_steps(summary, commands),
        )


def _spelled(summary: RunSummary) -> str:
    """The headline in characters, where a symbol is not one."""
    return "" if summary.spelled is None else summary.spelled.sentence(summary.unit)


def beginning(text: str) -> str:
    """Text of samples in, a line or two of the first one, without its header, out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(">")]
    return visible_controls(" ".join(" ".join(lines).split())[:_BEGINNING])


def title(summary: RunSummary) -> str:
    """The window's title: bits, name, program."""
    model = BaselineComparison.of(summary).model
    return " - ".join([*([f"{bits(model)} bits"] if model is not None else []), summary.name,
                       "seqforge"])  # fmt: skip


def subtitle(summary: RunSummary) -> str:
    """The pipeline, and when it finished."""
    finished = summary.finished_at[:16].replace("T", " ")
    return f"pipeline {summary.pipeline}" + (finished and f", finished {finished}")


def part_name(part: str | None) -> str:
    """A held-out part in words."""
    return "the test part" if part == "test" else (
        "the valid part, on which the best model was chosen"
    )  # fmt: skip


def _shown(chip: Chip, sections: Sequence[str]) -> ShownChip:
    places = [name for name in _SECTIONS.get(chip.name, ()) if name in sections]
    return ShownChip(**chip.model_dump(), section=places[0] if places else sections[0])


def _downloads(summary: RunSummary, folder: Path, at: Path) -> Iterator[Link]:
    files = [file for row in summary.samples for file in row.files or filter(None, [row.file])]
    if len(files) <= _MOST_SAMPLES:
        for file in files:
            yield Link(Path(file).name, link(file, folder, at))
    elif (folder / "samples").is_dir():
        yield Link(f"{len(files)} files of samples", link("samples", folder, at) + "/")
    for label, name in _FILES:
        if (folder / name).is_file():
            yield Link(label, link(name, folder, at))


def link(file: str, folder: Path, at: Path) -> str:
    """A path in the run folder in, its URL seen from the page out; empty for what lies elsewhere.

    Colons are quoted, so that none begins a scheme.
    """
    parts = Path(file).parts
    if not parts or Path(file).is_absolute() or file.startswith("/") or ".." in parts:
        return ""
    way = "" if folder == at else os.path.relpath(folder.absolute(), at.absolute())
    joined = "/".join([*Path(way).parts, *parts])
    return quote(joined, safe="/", errors="replace")


def next_steps(summary: RunSummary, commands: Sequence[tuple[str, str]] = ()) -> list[Step]:
    """What to do after the run, as commands: to train longer where that would help, to use it."""
    folder = shlex.quote(run_folder(summary))
    known = (
        *commands,
        ("seqforge sample {run} -n 5", "draws more"),
        ("seqforge evaluate {run} FILE", "scores a file of yours"),
        ("seqforge report {run} OTHER", "sets it beside another run"),
    )
    steps = [Step(command.replace("{run}", folder), why) for command, why in known]
    checks = {} if summary.verdict is None else {c.name: c.state for c in summary.verdict.chips}
    wanting = {checks.get("beats baselines"), checks.get("enough training")} & {"look", "fail"}
    if wanting and summary.command and summary.ngram is None:
        steps.insert(0, Step(_longer(summary), "trains longer, in a new folder"))
    return steps


def _longer(summary: RunSummary) -> str:
    """The run's command with a longer budget, without the folder that it has."""
    words, kept = iter(_words(summary.command)), list[str]()
    for word in words:
        if word in ("--budget", "--out", "-o"):
            next(words, None)
        elif word != "--resume" and not word.startswith(("--budget=", "--out=")):
            kept.append(word)
    return shlex.join([*kept, "--budget", longer_budget(summary)])


def run_folder(summary: RunSummary) -> str:
    """The folder of a run as its command names it."""
    words = _words(summary.command)
    for flag in ("--out", "-o"):
        if flag in words[:-1]:
            return words[words.index(flag) + 1]
    return f"runs/{summary.name}"


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()
