"""What the server that commands are forked from has imported: all of the program that is slow."""

import importlib

import torch

torch.set_num_threads(1)

for _name in (
    "seqforge.cli.main", "seqforge.cli.progress", "seqforge.cli.sample_output",
    "seqforge.cli.blast_backends",
    "seqforge.runs.pipeline", "seqforge.api.model", "seqforge.runs.train", "seqforge.runs.evaluate",
    "seqforge.reporting.page", "seqforge.domains.text.domain", "seqforge.domains.genome.domain",
    "seqforge.domains.music.domain", "seqforge.domains.genome.search",
    "seqforge.domains.genome.ebi.backend", "seqforge.domains.genome.ebi.client",
):  # fmt: skip
    importlib.import_module(_name)

from seqforge.api.model import load  # noqa: E402

load("fly", "cpu").sample(max_length=1)  # the kernel is compiled, or taken from the cache
