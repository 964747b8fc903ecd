"""A program in, three examples at the end of each command's help out; where the command line names
a domain, three of that one.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

EXAMPLES = {
    "run": (
        "seqforge run text --budget 1m --out runs/prose",
        "seqforge run genome --fasta data/dm3-chr2R-slice.fa.gz --budget 2m",
        "seqforge run text --input docs --budget 5m --hidden-size 128",
    ),
    "train": (
        "seqforge train text docs --budget 1m --out runs/docs",
        "seqforge train genome data/dm3-chr2R-slice.fa.gz --cell gru --budget 2m",
        "seqforge train music data/tunes.abc --budget 500steps --split 80/10/10",
    ),
    "sweep": (
        "seqforge sweep text --input docs --trials 12 --budget 1m",
        "seqforge sweep music data/tunes.abc --set-range model.dropout=0..0.5",
        "seqforge sweep text docs --set-range model.cell=gru,lstm --out cells",
    ),
    "report": (
        "seqforge report runs/prose --open",
        "seqforge report runs/prose runs/docs --out comparison.html",
        "seqforge report runs/prose --json",
    ),
    "sample": (
        "seqforge sample fly -n 9 --length 500 -t 0.8 --seed 1 --out samples.fa",
        "seqforge sample shakespeare --prime 'ROMEO:' --max-length 400 --top-p 0.95",
        "seqforge sample shakespeare --interactive",
    ),
    "next": (
        "seqforge next shakespeare 'O Rome'",
        "seqforge next fly TATAAA -k 5",
        "seqforge next folk --json",
    ),
    "evaluate": (
        "seqforge evaluate fly data/dm3-chr2R-slice.fa.gz",
        "seqforge evaluate folk data/tunes.abc --json",
        "seqforge evaluate fly data/dm3-chr2R-slice.fa.gz --memory",
    ),
    "inspect": (
        "seqforge inspect shakespeare README.md",
        "seqforge inspect fly data/dm3-chr2R-slice.fa.gz --out units",
        "seqforge inspect folk data/tunes.abc --json",
    ),
    "classify": (
        "seqforge classify runs/names Rossi Schmidt",
        "seqforge classify runs/names --input names.txt --json",
        "seqforge classify runs/names Nakamura -k 5",
    ),
    "label": (
        "seqforge label runs/exons data/dm3-chr2R-slice.fa.gz --out genes.gff3",
        "seqforge label runs/vowels queue rhythm",
        "seqforge label runs/vowels --input words.txt --json",
    ),
    "translate": (
        "seqforge translate runs/dates '3 May 2021'",
        "seqforge translate runs/dates --input dates.txt --json",
        "seqforge translate runs/dates '3 May 2021' --beam 8",
    ),
    "blast": (
        "seqforge blast samples.fa --against data/dm3-chr2R-slice.fa.gz",
        "seqforge blast samples.fa --against data/dm3-chr2R-slice.fa.gz --dust",
        "seqforge blast samples.fa --backend ebi --dry-run",
    ),
    "music": (
        "seqforge music -n 3 --bars 16 --seed 4",
        "seqforge music --prime data/melody.mid --keep-key --formats mid,abc,svg",
        "seqforge music --transpose D --out tunes",
    ),
    "domains": (
        "seqforge domains",
        "seqforge domains --verbose",
        "seqforge domains --json --out domains.json",
    ),
    "doctor": ("seqforge doctor", "seqforge doctor --warm-up", "seqforge doctor --json"),
    "models": ("seqforge models", "seqforge models show fly", "seqforge models --json"),
    "config": (
        "seqforge config",
        "seqforge config set database em_std_inv",
        "seqforge config unset email",
    ),
}


OF_DOMAINS = {
    ("run", "text"): (
        "seqforge run text --budget 1m --out runs/prose",
        "seqforge run text --input docs --budget 5m --hidden-size 128",
        "seqforge run text README.md --bytes --no-memory --budget 2m",
    ),
    ("run", "genome"): (
        "seqforge run genome --fasta data/dm3-chr2R-slice.fa.gz --budget 2m",
        "seqforge run genome data/dm3-chr2R-slice.fa.gz --strands forward --blast off",
        "seqforge run genome data/dm3-chr2R-slice.fa.gz --init fly --budget 10m --open",
    ),
    ("run", "music"): (
        "seqforge run music data/tunes.abc --budget 1m --open",
        "seqforge run music data/tunes.abc --init folk --budget 2m",
        "seqforge run music data/tunes.abc data/melody.mid --code events --budget 1m",
    ),
    ("train", "text"): (
        "seqforge train text docs --budget 1m --out runs/docs",
        "seqforge train text README.md --cell lstm --dropout 0.3 --budget 3epochs",
        "seqforge train text docs --init shakespeare --extend-vocabulary --budget 2m",
    ),
    ("train", "genome"): (
        "seqforge train genome data/dm3-chr2R-slice.fa.gz --cell gru --budget 2m",
        "seqforge train genome data/dm3-chr2R-slice.fa.gz --strands forward --budget 5m",
        "seqforge train genome data/dm3-chr2R-slice.fa.gz --init fly --budget 5m",
    ),
    ("train", "music"): (
        "seqforge train music data/tunes.abc --budget 500steps --split 80/10/10",
        "seqforge train music data/tunes.abc --init folk --budget 1m",
        "seqforge train music data/tunes.abc data/melody.mid --code events --budget 2m",
    ),
}
_DOMAINS = {"fly": "genome", "folk": "music", "shakespeare": "text"}
"""Of pipelines that are named otherwise."""


class _OfDomain(TyperCommand):
    """A command whose first argument may name a domain."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        named = next((one for one in args if not one.startswith("-")), "")
        key = str(self.name), _DOMAINS.get(named, named)
        self.epilog = _epilog(OF_DOMAINS.get(key, EXAMPLES[key[0]]))
        return super().parse_args(ctx, args)


def show_examples(app: typer.Typer) -> None:
    """A program in; the help of each of its commands and groups ends with its examples."""
    domains = {command for command, _ in OF_DOMAINS}
    for command in app.registered_commands:
        name = str(command.name or getattr(command.callback, "__name__", ""))
        command.epilog = _epilog(EXAMPLES.get(name, ()))
        if name in domains:
            command.cls = _OfDomain
    for group in app.registered_groups:
        group.epilog = _epilog(EXAMPLES.get(str(group.name), ()))


def _epilog(examples: tuple[str, ...]) -> str:
    return "\n".join(("Examples:", *examples))
