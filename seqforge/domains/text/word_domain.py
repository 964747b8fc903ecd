"""The text domain with words as symbols: text files in, a symbol for each word out, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from numpy.typing import NDArray

from seqforge.core.data.domain import Block, Record, Sample
from seqforge.core.data.overlap import CopyFinder
from seqforge.core.data.presentation import Measured, Wording
from seqforge.core.data.vocabulary import UNKNOWN, code_points
from seqforge.domains.text.domain import TextDomain, add_copied, empty_file
from seqforge.domains.text.words import (
    Speller,
    WordTable,
    chosen_words,
    count_words,
    encoded,
    whole_lines,
)
from seqforge.errors import InputError

if TYPE_CHECKING:
    from seqforge.core.data.corpus import Corpus
    from seqforge.core.data.vocabulary import Vocabulary
    from seqforge.core.memory.memory import Arrays, Ids, Memory

_COPY_LENGTHS = (5, 12)
_OPENINGS = ("\n\n", "\n", ".")


def _copied(length: int) -> str:
    return f"spans of {length} symbols copied (share)"


class WordDomain(TextDomain):
    """Plain text, a symbol for each word; what `TextDomain` is with ``symbols = "words"``."""

    unit: ClassVar[str] = "symbol"
    wordings: ClassVar[Mapping[str, Wording]] = {
        "characters in a symbol (mean)": Wording("characters in a word or mark (mean)"),
        "distinct symbols (share)": Wording("different words and marks, of all", True),
        "unknown words (share)": Wording("words that have no symbol", True),
        **{
            _copied(length): Wording(
                f"{length} words and marks on end that the training text has (copied spans)", True
            )
            for length in _COPY_LENGTHS
        },
    }
    copy_measure: ClassVar[str] = _copied(_COPY_LENGTHS[-1])

    def settle_counted(self, paths: Sequence[Path], min_count: int) -> Self:
        """See `SettlesCounted`: the words that have symbols, from the files."""
        if self.word_table:
            return self
        counts: Counter[str] = Counter()
        for path in paths:
            with suppress(InputError, OSError):  # what cannot be read is refused when it is read
                counts.update(count_words(self._texts(path)))
        return replace(self, word_table="\n".join(chosen_words(counts, min_count)))

    @cached_property
    def table(self) -> WordTable:
        """Words and their symbols."""
        return WordTable(self.word_table.split("\n") if self.word_table else ())

    def read(self, path: Path) -> Iterator[Record]:
        """As of characters, with a symbol for each word."""
        for record in super().read(path):
            yield replace(record, symbols=self._encoded(record.symbols))

    def read_blocks(self, path: Path) -> Iterator[Block]:
        """The same in blocks."""
        if self.separator or self.labels:
            for record in self.read(path):
                yield Block(code_points(record.symbols), record)
            return
        read = False
        for piece in whole_lines(self._texts(path)):
            read = True
            yield Block(code_points(self._encoded(piece)))
        if not read:
            raise empty_file(path)
        yield Block(code_points(""), Record("", path.name, str(path)))

    def _encoded(self, text: str) -> str:
        return encoded(text, self.table.symbol)

    def prime(self, source: str | Path) -> str:
        """The symbols of a text; words without one are passed through as symbols that say them."""
        return encoded(super().prime(source), self.table.strange_symbol)

    def spelled(self, symbol: str) -> str:
        """See `Spells`; that no space stands here is said by that symbol itself."""
        return self.table.token(symbol) or symbol

    def openings(self, files: int) -> tuple[str, ...]:
        """As of characters; no sentence ends with a blank here."""
        return _OPENINGS if super().openings(files) else ()

    def hint(self, symbol: str) -> str:
        """Nothing: the word says what it is."""
        return ""

    def deciphering(self) -> Speller:
        """The text of symbols, with the spaces between them."""
        return Speller(self.table)

    def text_of(self, symbols: str) -> str:
        """The text of symbols that nothing stands before."""
        return self.deciphering()(symbols)

    def piece(self, sample: Sample, first: bool) -> bytes:
        """The text of the sample, after the separator."""
        return super().piece(replace(sample, symbols=self.text_of(sample.symbols)), first)

    def show(self, sample: Sample) -> str:
        """The text."""
        return super().show(replace(sample, symbols=self.text_of(sample.symbols)))

    def annotate(self, symbols: str) -> Mapping[str, NDArray[Any]]:
        """Nothing: what is so at characters is not said of words."""
        return {}

    def memory(self, vocabulary: Vocabulary, training: Ids, symbols: int, budget: int) -> Memory:
        """See `HasMemory.memory`: the last symbols and copies, as of symbols of any kind."""
        from seqforge.core.memory.slots import table_bytes
        from seqforge.core.memory.symbol_streams import general_memory

        return general_memory(training, len(vocabulary), table_bytes(symbols, budget))

    def best_memory(
        self, vocabulary: Vocabulary, training: Ids, symbols: int, budget: int
    ) -> Memory:
        """The same."""
        return self.memory(vocabulary, training, symbols, budget)

    def saved_memory(self, vocabulary: Vocabulary, arrays: Arrays) -> Memory:
        """See `KeepsMemory`."""
        from seqforge.core.memory.symbol_streams import saved_general_memory

        return saved_general_memory(len(vocabulary), arrays)

    def report(self, samples: Sequence[Sample], corpus: Corpus) -> dict[str, Any]:
        """Lengths, variety and copied spans, beside those of held-out text."""
        drawn = [sample.drawn for sample in samples]
        part = corpus.held_out
        held = corpus.sequences(part, sum(map(len, drawn))) if part else []
        report: dict[str, Any] = {}
        for label, texts in (("samples", drawn), ("held-out", held)):
            ids = [corpus.vocabulary.encode(text) for text in texts]
            finder = CopyFinder(ids, corpus.train.tokens)
            measures = self._measures(texts) | {
                _copied(length): finder.share(length) for length in _COPY_LENGTHS
            }
            measures["longest copied span (symbols)"] = finder.longest()
            for measure, value in measures.items():
                report.setdefault(measure, {})[label] = value
        return report

    def measure_groups(self, groups: Sequence[Sequence[Sample]], corpus: Corpus) -> list[Measured]:
        """See `MeasuresGroups`: all but the longest copied span."""
        texts = [[sample.drawn for sample in group] for group in groups]
        found: list[Measured] = [self._measures(drawn) for drawn in texts]
        add_copied(found, texts, corpus, {_copied(length): length for length in _COPY_LENGTHS})
        return found

    def _measures(self, texts: Iterable[str]) -> dict[str, float | None]:
        drawn = [text for text in texts if text]
        total = sum(map(len, drawn))
        if not total:
            return dict.fromkeys(list(self.wordings)[:3])
        characters = sum(len(self.text_of(text)) for text in drawn)
        return {
            "characters in a symbol (mean)": round(characters / total, 4),
            "distinct symbols (share)": round(len(set("".join(drawn))) / total, 4),
            "unknown words (share)": round(sum(t.count(UNKNOWN) for t in drawn) / total, 4),
        }
