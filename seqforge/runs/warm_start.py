"""A model to initialise from (--init) in, the settings and weights that a run takes from it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from seqforge.base.folders import sha256_of
from seqforge.base.messages import first_problem
from seqforge.core.config import InitConfig, RunConfig, flat
from seqforge.core.data.corpus import Corpus, scored_windows
from seqforge.core.data.domain import Coded, Domain
from seqforge.core.data.ingest import window_codes
from seqforge.core.data.overlap import NOTABLE_OVERLAP, Sketch, windows_name
from seqforge.core.data.vocabulary import Vocabulary
from seqforge.core.model.checkpoint import Ancestor, Arrays, Checkpoint, load_checkpoint
from seqforge.errors import CheckpointError, ConfigError, RunError
from seqforge.registry import load_domain, options_of
from seqforge.runs.folder import RunFolder, find_model
from seqforge.runs.recipes import Recipe, Settings

_MODEL, _DIGEST = "init.model", "init.sha256"
_OPTIONS = "domain_options."
_FREE = ("dropout", "variational", "weight_drop", "embedding_dropout")
"""Settings of the network that may differ, since they change no weight's shape."""
_NAMED = 20  # new symbols, in a note


class StartNote(BaseModel):
    """What a run folder keeps of the model that its training started from."""

    model_config = ConfigDict(frozen=True)

    symbols: str
    unknown: bool
    ancestors: tuple[Ancestor, ...]
    sketch: str = ""


@dataclass(frozen=True)
class WarmStart:
    """The model that training starts from."""

    config: InitConfig
    vocabulary: Vocabulary
    ancestors: tuple[Ancestor, ...]
    """The model, and the models it was itself initialised from."""
    checkpoint: Checkpoint | None = None
    """None if the run is resumed from its own state."""
    sketch: Sketch = field(default_factory=Sketch)
    """Sketch of the training data of the model and its ancestors; empty for older models."""

    @classmethod
    def of(cls, config: InitConfig, checkpoint: Checkpoint) -> WarmStart:
        """The start from a model that was read."""
        card = checkpoint.card
        model = Ancestor(
            name=card.name,
            sha256=config.sha256 or "",
            inputs=card.provenance.inputs,
            steps=card.provenance.steps,
            note=card.provenance.note,
        )
        ancestors = (model, *card.provenance.ancestors)
        sketch = Sketch.parse(card.provenance.sketch)
        return cls(config, card.vocabulary, ancestors, checkpoint, sketch)

    @classmethod
    def again(cls, config: InitConfig, folder: RunFolder) -> WarmStart:
        """The start of a run that goes on; the model's file is not needed for it.

        Raises:
            RunError: If what was written down of it is gone.
        """
        try:
            note = StartNote.model_validate(folder.origin().init or {})
            vocabulary = Vocabulary(tuple(note.symbols), note.unknown)
            sketch = Sketch.parse(note.sketch)
        except ValueError as error:  # of pydantic too
            why = first_problem(error) if isinstance(error, ValidationError) else error
            raise RunError(
                f"{folder.path}: its config.toml no longer says which model it started from "
                f"({why}); begin in another --out"
            ) from error
        return cls(config, vocabulary, note.ancestors, sketch=sketch)

    @property
    def note(self) -> StartNote:
        """What ``config.toml`` keeps for `again`."""
        return StartNote(
            symbols="".join(self.vocabulary.symbols),
            unknown=self.vocabulary.unknown,
            ancestors=self.ancestors,
            sketch=self.sketch.dump(),
        )

    @property
    def weights(self) -> Arrays | None:
        """Initial weights; None if training has begun already."""
        return None if self.checkpoint is None else self.checkpoint.weights

    def notes(self, corpus: Corpus, domain: Domain, inputs: Sequence[str], split: str) -> list[str]:
        """Notes before training: the model's score, new symbols, held-out data it was trained on.

        Args:
            corpus: Of the run.
            domain: The run's.
            inputs: SHA-256 of each file of the run.
            split: What the run holds out.
        """
        if self.checkpoint is None:  # it was said when the run began
            return []
        found = self.checkpoint.card.provenance.bits_per_symbol
        bits = next((b for part in ("test", "valid") if (b := found.get(part)) is not None), None)
        said = f"starting from {_shown(self.config.model or '')}"
        said += "" if bits is None else f" ({bits:.4f} bits)"
        if new := corpus.vocabulary.symbols[len(self.vocabulary.symbols) :]:
            more = f" and {len(new) - _NAMED} more" if len(new) > _NAMED else ""
            said += f"; new symbols: {', '.join(map(repr, new[:_NAMED]))}{more}"
        seen = self._seen(corpus, domain, inputs, split)
        return [said, *([seen] if seen else [])]

    def _seen(
        self, corpus: Corpus, domain: Domain, inputs: Sequence[str], split: str
    ) -> str | None:
        """A note if the model was trained on data held out here."""
        part = corpus.held_out
        if part is None or self.checkpoint is None:
            return None
        if self.sketch.hashes.size:
            codes = window_codes(domain, corpus.vocabulary)
            share = self.sketch.share(scored_windows(corpus.part(part), codes))
            if share is None or share < NOTABLE_OVERLAP:
                return None
            return (
                f"it was trained on {share:.0%} of the {windows_name(codes.window, domain.unit)} "
                f"that are held out here ({part}), so that their score measures memory as well"
            )
        seen = {digest for one in self.ancestors for _, digest in one.inputs}
        older = {digest for one in self.ancestors[1:] for _, digest in one.inputs}
        card = self.checkpoint.card
        theirs = [digest for _, digest in card.provenance.inputs]
        alike = theirs == list(inputs) and card.config.data.split == split
        if seen.isdisjoint(inputs) or (alike and older.isdisjoint(inputs)):
            return None
        return (
            "it was trained on some of these files, and they were parted otherwise: what is held "
            "out here may have been learnt there"
        )


def named_model(settings: Settings, folder: RunFolder | None = None) -> Settings:
    """The settings with the model they name as it is written down: its place and its SHA-256.

    Args:
        settings: As they were given, under their dotted keys.
        folder: Of the run, where it is known.

    Raises:
        CheckpointError: If there is no such model, unless the run there has begun with it and
            needs it no more.
    """
    named = settings.get(_MODEL)
    if named is None:
        return settings
    worked = folder is not None and folder.worked
    begun = folder.recipe().config().init if folder is not None and worked else InitConfig()
    place = _place(str(named))
    try:
        digest = _digest(place)
    except CheckpointError:
        if place != begun.model:
            raise
        digest = begun.sha256 or ""
    if digest == begun.sha256:  # the same model, perhaps in another place
        place = begun.model or place
    return {**settings, _MODEL: place, _DIGEST: digest}


def warm_start_of(
    settings: Settings, recipe: Recipe, folder: RunFolder
) -> tuple[RunConfig, WarmStart | None]:
    """Settings in, the same with the model's network and options, and the model, out.

    The network and the options that decide what a symbol stands for are the model's; so are the
    domain's other options where none are given.

    Args:
        settings: Those that were given, under their dotted keys.
        recipe: With these.
        folder: Of the run.

    Raises:
        CheckpointError: If the model cannot be used, or is not the one written down.
        ConfigError: If an option that was given contradicts the model.
    """
    config = recipe.config()
    if config.init.model is None:
        return config, None
    if folder.worked:
        return config, WarmStart.again(config.init, folder)
    digest = _digest(config.init.model)
    if config.init.sha256 not in (None, digest):
        raise CheckpointError(
            f"{config.init.model}: has changed since it was written down "
            f"(SHA-256 {config.init.sha256}, now {digest}); name it again with --init"
        )
    checkpoint = load_checkpoint(find_model(config.init.model))
    if checkpoint.card.config.model.is_ngram:
        raise CheckpointError(
            f"{config.init.model}: is an n-gram model, which holds counts and no weights to go on "
            "from; name a network"
        )
    # A recipe that names no model says what a fresh one would be, and gives way.
    given = settings if _MODEL in settings else flat(recipe.settings)
    config = _fitted(config, checkpoint.card.config, given, config.init.model)
    init = config.init.model_copy(update={"sha256": digest})
    return config.model_copy(update={"init": init}), WarmStart.of(init, checkpoint)


def _fitted(config: RunConfig, theirs: RunConfig, given: Settings, where: str) -> RunConfig:
    """The settings with the model's network and options."""
    if config.domain != theirs.domain:
        raise ConfigError(
            f"{where}: is a model of {theirs.domain}, and this is a run of {config.domain}"
        )
    asked, model = _network(config), _network(theirs)
    free = {f"model.{name}": name for name in _FREE}
    wrong = [
        f"{key}: {model[key]} and {asked[key]}"
        for key in model
        if key in given and key not in free and asked[key] != model[key]
    ]
    theirs_domain = load_domain(theirs.domain, theirs.domain_options)
    options = {
        key.removeprefix(_OPTIONS): value
        for key, value in given.items()
        if key.startswith(_OPTIONS) and value != "auto"
    }
    settled = options_of(theirs_domain)
    mine = options_of(load_domain(config.domain, settled | options))
    coding = theirs_domain.coding if isinstance(theirs_domain, Coded) else tuple(mine)
    wrong += [
        f"{_OPTIONS}{name}: {settled[name]} and {mine[name]}"
        for name in coding
        if mine[name] != settled[name]
    ]
    if wrong:
        raise ConfigError(
            f"{where}: is another model than the options ask for ({'; '.join(wrong)}); leave "
            "them out, or train without --init"
        )
    changed = {name: asked[key] for key, name in free.items() if key in given}
    network = theirs.model.model_copy(update=changed)
    return config.model_copy(update={"model": network, "domain_options": mine})


def _network(config: RunConfig) -> dict[str, object]:
    """Settings of the network under their keys, the embedding as wide as it comes out."""
    found = flat(config.model.model_dump(), "model.")
    found["model.embedding_size"] = config.model.embedding_size or config.model.hidden_size
    return found


def _place(named: str) -> str:
    """A model as recorded: a bundled name, or an absolute path."""
    path = Path(named)
    return str(path.absolute()) if path.exists() or path.suffix else named


def _shown(place: str) -> str:
    """A model's place as short as it can be said from here."""
    path = Path(place)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else place


def _digest(place: str) -> str:
    path = find_model(place)
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file")
    return sha256_of(path)
