"""Samples in, hits of their similarity search out: what domains of sequences search and show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqforge.base.html_page import Section
from seqforge.base.messages import Advance

if TYPE_CHECKING:
    from seqforge.core.data.domain import TrainingData
    from seqforge.domains.genome.similarity.parameters import Residues, SearchOptions


class SearchesSequences:
    """The part of a domain that searches its samples."""

    def searched_letters(self) -> Residues:
        """What samples are made of."""
        return "dna"

    def reads_both_strands(self) -> bool:
        """Whether both strands are trained on."""
        return False

    @staticmethod
    def search_options() -> type[SearchOptions]:
        """Options of the search at the end of a run."""
        from seqforge.domains.genome.similarity.parameters import SearchOptions

        return SearchOptions

    def search(
        self,
        samples: Sequence[Path],
        folder: Path,
        asked: Mapping[str, Any],
        learnt: TrainingData,
        seed: int,
        progress: Advance,
        say: Callable[[str], None],
    ) -> dict[str, Any]:
        """Search the samples and their controls, locally or at EMBL-EBI.

        Without a library it is ``training.fa.gz``, left in the folder: what was trained on. What
        was held out is searched in it as the samples are.
        """
        from seqforge.domains.genome.search import run_search

        options, both = self.search_options().model_validate(asked), self.reads_both_strands()
        return run_search(
            samples, folder, options, learnt, both, seed, progress, say, self.searched_letters()
        )

    def page_sections(self, folder: Path, files: Sequence[str]) -> list[Section]:
        """See `ShowsOnPage`: the hits of a search."""
        from seqforge.domains.genome.similarity.hits_section import run_hits

        return run_hits(folder)
