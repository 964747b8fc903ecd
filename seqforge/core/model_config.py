"""Table ``[model]`` of a recipe in, the typed settings of a network or an n-gram model out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from seqforge.core.cells.catalogue import NGRAM, check_settings, known_cell

STRICT = ConfigDict(frozen=True, extra="forbid")

Fraction = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(ge=1, le=16384)]

NGRAM_SETTINGS = ("order", "smoothing")
"""Settings that n-gram models alone have."""


TASK_SETTINGS = ("bidirectional", "stride", "convolution", "ngrams")
"""Settings that only networks of tasks beside generation have."""


class ModelConfig(BaseModel):
    """Table ``[model]``: the network, or the n-gram model."""

    model_config = STRICT

    cell: Annotated[str, AfterValidator(known_cell)] = "lstm"
    """A name of `core.cells.catalogue`, of a cell that a package brings, or ngram."""
    hidden_size: Width = 256
    num_layers: Annotated[int, Field(ge=1, le=100)] = 1
    embedding_size: Width | None = None
    """Width of the embedding; default: that of the hidden layers."""
    dropout: Fraction = 0.0
    """Dropout rate between layers and on the output."""
    variational: bool = False
    """Whether a dropout mask is kept over a window (Gal and Ghahramani 2016)."""
    weight_drop: Fraction = 0.0
    """Dropout rate of recurrent weights (Merity et al. 2018)."""
    embedding_dropout: Fraction = 0.0
    """Dropout rate of whole symbols in the embedding (Gal and Ghahramani 2016)."""
    tied: bool = False
    """Whether embedding and output share weights (Press and Wolf 2017)."""
    forget_bias: Annotated[float, Field(ge=-100, le=100)] | None = None
    """What the bias of the forget gate begins at; default: the cell's own (1 for an LSTM)."""
    attention: Annotated[int, Field(ge=0, le=4096)] = 0
    """How many states of the top layer before the present one are looked at; 0: none."""

    bidirectional: bool | None = None
    """Whether layers read in both directions, where a task allows it; default there: yes."""
    stride: Annotated[int, Field(ge=1, le=64)] = 1
    """Symbols that are one step of the layers of a model that labels."""
    convolution: Annotated[int, Field(ge=0, le=255)] = 0
    """Width of a convolution before the layers of a model that labels; odd; 0: none."""
    ngrams: Annotated[int, Field(ge=0, le=6)] = 0
    """Longest n-gram of a linear part beside the layers of a model that classifies; 0: none."""

    order: Annotated[int, Field(ge=0, le=32)] | None = None
    """Symbols of context of an n-gram model; default there: 4."""
    smoothing: Literal["none", "kneser-ney"] | None = None
    """Of an n-gram model; default there: none."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_ngrams(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or values.get("cell") != NGRAM:
            return values
        known = {name: value for name, value in values.items() if value is not None}
        return {"order": 4, "smoothing": "none", **known}

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        theirs, kind = (
            (_OF_NETWORKS, "an n-gram model") if self.is_ngram else (NGRAM_SETTINGS, "a network")
        )
        fields = type(self).model_fields
        strange = [name for name in theirs if getattr(self, name) != fields[name].default]
        if strange:
            own = NGRAM_SETTINGS if self.is_ngram else _OF_NETWORKS
            raise ValueError(f"{kind} has no {' or '.join(strange)}; it has {', '.join(own)}")
        return self

    @model_serializer(mode="wrap")
    def _own_settings(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the settings of the other kind, which say nothing."""
        others = _OF_NETWORKS if self.is_ngram else NGRAM_SETTINGS
        fields = type(self).model_fields
        return {
            name: value
            for name, value in dump(self).items()
            if name not in others and (name not in TASK_SETTINGS or value != fields[name].default)
        }

    @property
    def is_ngram(self) -> bool:
        """Whether it is no network but an n-gram model."""
        return self.cell == NGRAM

    @property
    def title(self) -> str:
        """The kind of model and its size, in a few words."""
        if self.is_ngram:
            how = "unsmoothed" if self.smoothing == "none" else "Kneser-Ney"
            return f"n-grams of order {self.order}, {how}"
        return f"{self.num_layers} x {self.hidden_size} {self.cell}{self.looks_back}"

    @property
    def looks_back(self) -> str:
        """The attention, behind a comma; empty without."""
        return f", attention over {self.attention}" if self.attention else ""

    @model_validator(mode="after")
    def _a_convolution_is_odd(self) -> Self:
        if self.convolution and self.convolution % 2 == 0:
            raise ValueError("the width of a convolution is odd; give 3, 5, 7, ...")
        return self

    @model_validator(mode="after")
    def _tied_are_as_wide(self) -> Self:
        if self.tied and self.embedding_size not in (None, self.hidden_size):
            raise ValueError("tied weights need an embedding_size equal to hidden_size")
        return self

    @model_validator(mode="after")
    def _the_cell_has_them(self) -> Self:
        if not self.is_ngram:
            check_settings(self.cell, self.forget_bias, self.weight_drop)
        return self


_OF_NETWORKS = tuple(
    name for name in ModelConfig.model_fields if name not in ("cell", *NGRAM_SETTINGS)
)
