"""The recipes and models that ship in, a cache out that holds the kernels they need: for container
images, where the first command then compiles nothing.
"""

from __future__ import annotations

import numpy as np

from seqforge.core.cells.catalogue import CATALOGUE
from seqforge.core.kernels.compile_ahead import prepare_layers
from seqforge.core.kernels.layer_kernels import PRODUCT_KINDS
from seqforge.core.memory.memory import HasMemory
from seqforge.core.model.checkpoint import load_labelled
from seqforge.core.model_config import ModelConfig
from seqforge.core.sampling.engine import prepare, prepare_mixture
from seqforge.core.sampling.sampling_kernel import NO_GRAMMAR, closed_batch, note_all
from seqforge.registry import load_domain
from seqforge.runs.folder import bundled_models
from seqforge.runs.memory import prepare_memory
from seqforge.runs.recipes import find_recipe, recipe_names


def compile_all() -> None:
    """Compile the kernels that draw, for every cell, with attention and without, the layers of
    every recipe and of every cell at its default width, and the memories of symbols such as those
    of every model.
    """
    for cell in CATALOGUE:
        for attention in (False, True):
            prepare(cell, attention).join()
    note_all(closed_batch(1, 2, 0, 1), 0, np.zeros(0, np.int64), NO_GRAMMAR)
    recipes = [find_recipe(name).config().model for name in recipe_names()]
    for model in {*recipes, *(ModelConfig(cell=cell) for cell in CATALOGUE)}:
        prepare_layers(model.cell, model.hidden_size, model.num_layers, PRODUCT_KINDS).join()
    for path in bundled_models().values():
        card = load_labelled(path).card
        domain = load_domain(card.config.domain, card.config.domain_options)
        prepare_mixture(card, domain).join()
        if isinstance(domain, HasMemory):
            ids = np.arange(len(card.vocabulary)).astype(card.vocabulary.dtype)
            prepare_memory(domain, card.vocabulary, ids).join()
