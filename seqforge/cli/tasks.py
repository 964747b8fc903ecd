"""seqforge classify, label, translate: a model of a task and texts in, what it says of them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqforge.cli.app import app
from seqforge.cli.console import AnswerOptions, asked, echo
from seqforge.cli.options import Json, Out, Quiet, Verbose
from seqforge.errors import ConfigError

if TYPE_CHECKING:
    from seqforge.core.model.task_model import TaskModel

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A .safetensors file or a run folder.")]
Texts = Annotated[
    list[str] | None, typer.Argument(metavar="[TEXT ...]", help="Texts, one an argument.")
]
Input = Annotated[
    Path | None,
    typer.Option("--input", "-i", metavar="FILE", help="A file with a text a line."),
]
Most = Annotated[int, typer.Option("-k", min=1, metavar="N", help="Classes shown of each text.")]
Labelled = Annotated[
    list[str] | None,
    typer.Argument(metavar="[INPUT ...]", help="Texts, or for genes FASTA files, packed or not."),
]
Beam = Annotated[
    int | None, typer.Option(min=1, max=100, metavar="N", help="Width of the beam search.")
]


@app.command("classify")
def classify(
    ctx: typer.Context, model: Model, texts: Texts = None, input_: Input = None, most: Most = 3,
    json_: Json = False, out: Out = None, quiet: Quiet = False, verbose: Verbose = False,
) -> None:  # fmt: skip
    """Say of which class texts are, with probabilities: a model trained with --task classify."""
    from seqforge.runs.tasks.predict import class_probabilities

    loaded, given = _loaded(model, "classify"), _texts(texts, input_)
    chances = class_probabilities(loaded, [loaded.sources.encode(text) for text in given])
    found = []
    for row in chances:
        order = row.argsort()[::-1][: most if not json_ else len(row)]
        names = loaded.card.target_symbols
        found.append(
            [{"label": names[n], "probability": round(float(row[n]), 6)} for n in order.tolist()]
        )
    _tell(asked(ctx, json_, out, quiet, verbose), given, found, _classes)


@app.command("translate")
def translate(
    ctx: typer.Context, model: Model, texts: Texts = None, input_: Input = None, beam: Beam = None,
    json_: Json = False, out: Out = None, quiet: Quiet = False, verbose: Verbose = False,
) -> None:  # fmt: skip
    """Turn texts into what a model trained with --task translate makes of them (beam search)."""
    from seqforge.runs.tasks.predict import translations

    loaded, given = _loaded(model, "translate"), _texts(texts, input_)
    _say_unknown(given, loaded.card.symbols)
    width = beam or loaded.card.config.task.beam
    made = translations(loaded, [loaded.sources.encode(text) for text in given], width)
    found = [
        {
            "text": "".join(loaded.targets.decode(one.ids)),
            "log_probability": round(one.log_chance, 4),
        }
        for one in made
    ]
    answer = asked(ctx, json_, out, quiet, verbose)
    _tell(answer, given, found, lambda one: str(one["text"]))


@app.command("label")
def label(
    ctx: typer.Context, model: Model, texts: Labelled = None, input_: Input = None, out: Out = None,
    json_: Json = False, quiet: Quiet = False, verbose: Verbose = False,
) -> None:  # fmt: skip
    """Label each symbol: genes of FASTA files as GFF3, or texts, a line each."""
    from seqforge.runs.tasks.label_files import domain_labelling, write_labels

    loaded = _loaded(model, "label")
    labelling = domain_labelling(loaded)
    if labelling is None:
        answer = asked(ctx, json_, out, quiet, verbose)
        _label_texts(loaded, _texts(texts, input_), answer)
        return
    files = [Path(name) for name in texts or []] + ([input_] if input_ else [])
    if not files or out is None:
        raise ConfigError("give the files to look for genes in, and --out FILE")
    count = write_labels(loaded, labelling, files, out)
    if not quiet:
        echo(f"{count:,} genes in {out}")


def _label_texts(loaded: TaskModel, given: Sequence[str], answer: AnswerOptions) -> None:
    from seqforge.core.data.labelling import joined_labels
    from seqforge.runs.tasks.predict import label_probabilities

    names, found = loaded.card.target_symbols, []
    for text in given:
        chances = joined_labels(label_probabilities(loaded, loaded.sources.encode(text)))
        found.append([names[n] for n in chances.argmax(1).tolist()])
    short = all(len(name) == 1 for name in names)
    _tell(answer, given, found, lambda one: ("" if short else " ").join(one))


def _classes(rows: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{row['label']} {row['probability']:.2f}" for row in rows)


def _loaded(name: str, kind: str) -> TaskModel:
    from seqforge.core.model.task_model import load_task_model
    from seqforge.runs.folder import find_model

    return load_task_model(find_model(name), kind)


def _texts(texts: Sequence[str] | None, file: Path | None) -> list[str]:
    """The texts that were given.

    Raises:
        ConfigError: If there is none, or one is empty.
    """
    from seqforge.base.textio import read_text

    found = list(texts or [])
    if file is not None:
        found += [line for line in read_text(file).split("\n") if line.strip()]
    if not found:
        raise ConfigError("there is no text; give some, or --input FILE with a text a line")
    if not all(text.strip() for text in found):
        raise ConfigError("one of the texts is empty; leave it out")
    return found


_MOST_NAMED = 10


def _say_unknown(texts: Sequence[str], symbols: Sequence[str]) -> None:
    """Say which symbols of some texts a model has not learnt, on standard error."""
    strange = sorted(set("".join(texts)) - set(symbols))
    if not strange:
        return
    named = " ".join(map(ascii, strange[:_MOST_NAMED]))
    more = f" and {len(strange) - _MOST_NAMED:,} more" if len(strange) > _MOST_NAMED else ""
    echo(f"the model has not learnt {named}{more}; it reads them as unknown symbols", err=True)


def _tell(
    answer: AnswerOptions, given: Sequence[str], found: Sequence[Any], shown: Callable[[Any], str]
) -> None:
    several = len(given) > 1
    lines = [
        f"{text}\t{shown(one)}" if several else shown(one)
        for text, one in zip(given, found, strict=True)
    ]
    answer.answer(list(found) if several else found[0], lines)
