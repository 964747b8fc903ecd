"""Table ``[task]`` of a recipe in, what the model is for out; settings of other tasks refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from seqforge.core.model_config import STRICT, TASK_SETTINGS, ModelConfig

TaskKind = Literal["generate", "classify", "label", "translate"]
MadeKind = Literal["addition", "dates"]
"""Examples that a run can make for itself."""

VERBS = {
    "generate": "generates", "classify": "classifies", "label": "labels", "translate": "translates",
}  # fmt: skip
"""What models of each task do, for messages."""


class TaskConfig(BaseModel):
    """Table ``[task]``: what the model is for."""

    model_config = STRICT

    kind: TaskKind = "generate"
    """generate: the next symbol; classify: a class a sequence; label: a label a symbol;
    translate: another sequence."""
    class_weights: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Power of the inverse frequency that weights a class: 0 weights all examples alike, 1 all
    classes alike."""
    beam: Annotated[int, Field(ge=1, le=100)] = 4
    """Beginnings of a translation that beam search keeps."""


_OWN = {
    "generate": (),
    "classify": ("bidirectional", "ngrams"),
    "label": ("bidirectional", "stride", "convolution"),
    "translate": ("bidirectional",),
}
"""Which of `TASK_SETTINGS` each task has."""


def check_task(kind: TaskKind, model: ModelConfig) -> None:
    """Refuse settings of a model that its task does not have.

    Raises:
        ValueError: Names them.
    """
    if kind == "generate" and model.bidirectional:
        raise ValueError(
            "a model that generates reads what comes before a symbol, never what comes after; "
            "leave --bidirectional out, or give --task classify, label or translate"
        )
    fields = type(model).model_fields
    theirs = [name for name in TASK_SETTINGS if getattr(model, name) != fields[name].default]
    strange = [name for name in theirs if name not in _OWN[kind]]
    if kind != "generate":
        strange += [name for name in ("attention", "tied") if getattr(model, name)]
        strange += ["n-grams for a cell"] * model.is_ngram
    if strange:
        raise ValueError(
            f"a model that {VERBS[kind]} has no {' or '.join(strange)}; leave that out"
        )
