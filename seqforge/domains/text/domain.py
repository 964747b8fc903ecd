"""Text files in, Unicode code points (or bytes) as symbols out, and back; reports on words and
copying.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, ConfigDict
from pydantic.dataclasses import dataclass

from seqforge.base.folders import write_atomically
from seqforge.base.textio import checked_encoding, opened, read_text, read_text_blocks
from seqforge.core.data.domain import Block, Record, Sample, SymbolDecoder
from seqforge.core.data.overlap import CopyFinder, Ids, copied_shares
from seqforge.core.data.presentation import Measured, Wording
from seqforge.core.data.vocabulary import code_points, narrowest
from seqforge.errors import ConfigError, InputError

if TYPE_CHECKING:
    from seqforge.core.data.constraint import Constraint
    from seqforge.core.data.corpus import Corpus
    from seqforge.core.data.examples import Example, TaskName
    from seqforge.core.data.vocabulary import Vocabulary
    from seqforge.core.memory.memory import Arrays, Ids, Memory

_COPY_LENGTHS = (20, 50)
_OPENINGS = ("\n\n", "\n", ". ", "\u3002", " ")  # a paragraph, a line, a sentence, a word
_ENOUGH_FILES = 20  # a model that has seen so many beginnings can begin by itself
_ESCAPES = re.compile(r"(\\n|\\t)+")
_WORD = re.compile(r"\w+")
_NO_TEXT = ", or --bytes to learn bytes"
_BLOCK = 1 << 18
_Bytes = bytes  # inside the class the name is an option


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TextDomain:
    """Plain text, one file or many."""

    name: ClassVar[str] = "text"
    suffix: ClassVar[str] = ".txt"
    suffixes: ClassVar[tuple[str, ...]] = (
        ".txt",
        ".text",
        ".md",
        ".tex",
        ".c",
        ".h",
        ".py",
        ".xml",
    )
    file_per_sample: ClassVar[bool] = False
    unit: ClassVar[str] = "character"
    coding: ClassVar[tuple[str, ...]] = ("bytes", "symbols", "word_table")
    annotated: ClassVar[bool] = False
    wordings: ClassVar[Mapping[str, Wording]] = {
        "words known from training (share)": Wording("words that the training text has", True),
        "mean word length (characters)": Wording("characters in a word (mean word length)"),
        "distinct words (share)": Wording("different words, of all (type-token ratio)", True),
        "spans of 20 characters copied (share)": Wording(
            "20 characters on end that the training text has (copied spans)", True
        ),
        "spans of 50 characters copied (share)": Wording(
            "50 characters on end that the training text has (copied spans)", True
        ),
    }
    copy_measure: ClassVar[str] = "spans of 50 characters copied (share)"

    bytes: bool = False
    """Symbols are bytes, not code points; reads any file."""
    symbols: Literal["characters", "words"] = "characters"
    """Whether a symbol is a character or a word (a mark, a blank)."""
    separator: str | None = None
    r"""Text that splits a file into records; ``\n`` and ``\t`` may be written so. None: one
    record per file."""
    labels: bool = False
    """Records have labels, which condition the model: the lines ``text TAB label`` of a table; of
    other files each line, its label being the file's name. They need no ``separator``."""
    label_folders: bool = False
    """Of ``labels``: files are whole records, their folders' names being their labels."""
    encoding: Annotated[str, AfterValidator(checked_encoding)] = ""
    """Encoding of files that are not UTF-8 and have no byte-order mark: latin-1, cp1252."""
    word_table: str = ""
    """The words that have symbols, one a line; a run settles them and a model keeps them."""

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if self.bytes and self.symbols == "words":
            raise ConfigError("--bytes are no words; leave it or --symbols words out")
        if self.bytes and self.encoding:
            raise ConfigError("--bytes takes files as they are; leave --encoding out")
        if self.label_folders and not self.labels:
            raise ConfigError("--label-folders says where labels are; give --labels too")

    def memory(self, vocabulary: Vocabulary, training: Ids, symbols: int, budget: int) -> Memory:
        """See `HasMemory.memory`."""
        from seqforge.core.memory.slots import table_bytes
        from seqforge.domains.text.memory import TextMemory

        return TextMemory.made(training, vocabulary.symbols, table_bytes(symbols, budget))

    def best_memory(
        self, vocabulary: Vocabulary, training: Ids, symbols: int, budget: int
    ) -> Memory:
        """See `HasBestMemory.best_memory`."""
        from seqforge.core.memory.slots import table_bytes
        from seqforge.domains.text.memory import TextMemories

        share = table_bytes(symbols, budget, TextMemories.count)
        return TextMemories.made(training, vocabulary.symbols, share)

    def saved_memory(self, vocabulary: Vocabulary, arrays: Arrays) -> Memory:
        """See `KeepsMemory`."""
        from seqforge.core.memory.several import restored
        from seqforge.domains.text.memory import TextMemories, TextMemory

        return restored(TextMemories, partial(TextMemory.saved, vocabulary.symbols), arrays)

    def read(self, path: Path) -> Iterator[Record]:
        """The file as one record, or its parts between separators; or its labelled records."""
        if self.labels:
            from seqforge.domains.text.examples import labelled_records

            yield from labelled_records(path, self.label_folders, self.encoding, self._typed)
            return
        text = self._text(path)
        if not text:
            raise empty_file(path)
        if not self.separator:
            yield Record(text, path.name, str(path))
            return
        pieces = [piece.strip("\n") for piece in text.split(self._separator())]
        if len(pieces) == 1:
            raise InputError(
                f"{path}: the separator {self.separator!r} does not occur in it; give another "
                "--separator, or none to take the file whole"
            )
        for number, piece in enumerate(pieces, 1):
            if piece:
                yield Record(piece, f"{path.name}:{number}", str(path))

    def examples(self, task: TaskName, paths: Sequence[Path]) -> Iterator[Example]:
        """See `ReadsExamples`."""
        from seqforge.domains.text.examples import text_examples

        return text_examples(task, paths, self.encoding)

    def read_blocks(self, path: Path) -> Iterator[Block]:
        """The same in blocks; without a separator no file is in memory whole."""
        if self.separator or self.labels:
            for record in self.read(path):
                yield Block(narrowest(record.symbols), record)
            return
        found = self._byte_blocks(path) if self.bytes else self._text_blocks(path)
        points = None
        for points in found:
            yield Block(points)
        if points is None:
            raise empty_file(path)
        yield Block(points[:0], Record("", path.name, str(path)))

    def _byte_blocks(self, path: Path) -> Iterator[NDArray[np.unsignedinteger]]:
        with opened(path, keep_archives=True) as stream:
            while data := stream.read(_BLOCK):
                yield np.frombuffer(data, np.uint8)

    def _text_blocks(self, path: Path) -> Iterator[NDArray[np.unsignedinteger]]:
        # All blocks of a record have a byte a symbol or none has, so what has several blocks is
        # read twice.
        with closing(self._texts(path)) as texts:
            first = next(texts, "")
            if next(texts, None) is None:
                if first:
                    yield narrowest(first)
                return
        narrow = all(_is_latin(text) for text in self._texts(path))
        for text in self._texts(path):
            yield np.frombuffer(text.encode("latin-1"), np.uint8) if narrow else code_points(text)

    def _texts(self, path: Path) -> Generator[str]:
        return read_text_blocks(path, self.encoding, besides=_NO_TEXT)

    def _text(self, path: Path) -> str:
        """The file's text, one character per symbol."""
        if self.bytes:
            return b"".join(block.tobytes() for block in self._byte_blocks(path)).decode("latin-1")
        return read_text(path, self.encoding, _NO_TEXT)

    def _separator(self) -> str:
        parting = self.separator or ""
        if _ESCAPES.fullmatch(parting):  # and not \\newpage or \\title
            parting = parting.replace("\\n", "\n").replace("\\t", "\t")
        return parting.encode().decode("latin-1") if self.bytes else parting

    def prime(self, source: str | Path) -> str:
        """Text as it would be read from a file; with ``bytes`` its UTF-8 bytes."""
        return self._text(source) if isinstance(source, Path) else self._typed(source)

    def _typed(self, source: str) -> str:
        if self.bytes:
            return source.encode("utf-8", "surrogateescape").decode("latin-1")
        return source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")

    def openings(self, files: int) -> tuple[str, ...]:
        """The end of a paragraph, a line, a sentence or a word, where files are whole records.

        Of a few such files a model has seen few beginnings; by itself it would begin mid-word.
        """
        if self.separator or self.labels or files >= _ENOUGH_FILES:
            return ()
        return tuple(self.prime(text) for text in _OPENINGS)

    def hint(self, symbol: str) -> str:
        """The byte a symbol stands for, if symbols are bytes; how to type a line break."""
        if self.bytes:
            return f"{symbol!r} is the byte 0x{ord(symbol):02x} of its UTF-8"
        return "a shell takes $'\\n' for a line break" if symbol == "\\" else ""

    def constraint(self, vocabulary: Vocabulary) -> Constraint | None:
        """No grammar."""
        return None

    def write(self, samples: Sequence[Sample], path: Path) -> list[Path]:
        """One file of samples, separated by the separator (or an empty line)."""
        pieces = [self.piece(sample, not place) for place, sample in enumerate(samples)]
        write_atomically(path, b"".join(pieces))
        return [path]

    def piece(self, sample: Sample, first: bool) -> _Bytes:
        """The sample, after the separator."""
        lines = self.labels and not self.label_folders
        parting = self._separator() if self.separator else "\n" if lines else "\n\n"
        if "\n" not in parting:
            parting = f"\n{parting}\n"
        text = sample.symbols if first else parting + sample.symbols
        return self._bytes_of(text) if self.bytes else text.encode("utf-8", "surrogatepass")

    def _bytes_of(self, symbols: str) -> _Bytes:
        return symbols.encode("latin-1", "replace")  # the unknown symbol is no byte: ?

    def show(self, sample: Sample) -> str:
        """The text; bytes that are not UTF-8 show as U+FFFD."""
        text = sample.symbols
        if self.bytes:
            text = self._bytes_of(text).decode("utf-8", "replace")
        return text if text.endswith("\n") else text + "\n"

    def showing(self, sample: Sample, pieces: Iterable[str]) -> Iterator[str]:
        """The text as it comes; a character of several bytes with its last byte."""
        last, deciphered = "", self.deciphering()
        for piece, is_last in chain(zip(pieces, repeat(False)), [("", True)]):
            text = deciphered(piece, is_last)
            last = text[-1:] or last
            yield text
        if last != "\n":
            yield "\n"

    def deciphering(self) -> SymbolDecoder:
        """Symbols as they are; bytes decoded as UTF-8."""
        if not self.bytes:
            return lambda symbols, last: symbols
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return lambda symbols, last: decoder.decode(self._bytes_of(symbols), last)

    def annotate(self, symbols: str) -> Mapping[str, NDArray[Any]]:
        """Places in lines and words, quotes, comments, brackets, tags; see `annotate_text`."""
        from seqforge.domains.text.annotations import annotate_bytes, annotate_text

        return annotate_bytes(self._bytes_of(symbols)) if self.bytes else annotate_text(symbols)

    def report(self, samples: Sequence[Sample], corpus: Corpus) -> dict[str, Any]:
        """Known words, word length and copied spans, beside those of held-out text."""
        drawn = [sample.drawn for sample in samples]
        size = sum(len(text) for text in drawn)
        part = corpus.held_out
        held = corpus.sequences(part, size) if part else []
        words = self._words(corpus)
        report: dict[str, Any] = {}
        for label, texts in (("samples", drawn), ("held-out", held)):
            ids = [corpus.vocabulary.encode(text) for text in texts]
            measures = word_measures(texts, words) | copy_measures(ids, corpus.train.tokens)
            for measure, value in measures.items():
                report.setdefault(measure, {})[label] = value
        return report

    def measure_groups(self, groups: Sequence[Sequence[Sample]], corpus: Corpus) -> list[Measured]:
        """See `MeasuresGroups`: all but the longest copied span."""
        words = self._words(corpus)
        texts = [[sample.drawn for sample in group] for group in groups]
        found: list[Measured] = [dict(word_measures(drawn, words)) for drawn in texts]
        add_copied(found, texts, corpus, {_copied(length): length for length in _COPY_LENGTHS})
        return found

    @staticmethod
    def _words(corpus: Corpus) -> set[str]:
        """All words of the training text."""
        words = set[str]()
        for block in corpus.blocks("train"):
            words.update(_WORD.findall(block))
        return words

    def default_input(self) -> list[Path]:
        """English prose that Python ships: the help topics of its own reference."""
        found = find_spec("pydoc_data.topics")
        if found is None or found.origin is None:
            raise InputError("this Python ships no prose to try; give --input FILE")
        return [Path(found.origin)]


def empty_file(path: Path) -> InputError:
    """What is said of a file without text."""
    return InputError(f"{path}: is empty; give a file with text in it")


def _is_latin(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def word_measures(texts: Sequence[str], known: Collection[str]) -> dict[str, float | None]:
    """Texts in, shares and means over running words out; ``known`` are the training text's
    words."""
    running = [word for text in texts for word in _WORD.findall(text)]
    return {
        "words known from training (share)": _share(sum(w in known for w in running), len(running)),
        "mean word length (characters)": _share(sum(map(len, running)), len(running)),
        "distinct words (share)": _share(len(set(running)), len(running)),
    }


def add_copied(
    measured: Sequence[Measured], groups: Sequence[Sequence[str]], corpus: Corpus,
    lengths: Mapping[str, int],
) -> None:  # fmt: skip
    """Add to the measures of each group the share of its spans that the training data have.

    Args:
        measured: Of each group.
        groups: Symbols.
        corpus: Of what was trained on.
        lengths: Of spans, by the name of the measure.
    """
    ids = [[corpus.vocabulary.encode(text) for text in drawn] for drawn in groups]
    for name, length in lengths.items():
        shares = copied_shares(ids, corpus.train.tokens, length)
        for one, share in zip(measured, shares, strict=True):
            one[name] = share


def copy_measures(ids: Sequence[Ids], training: Ids) -> dict[str, float | None]:
    """Sequences and training data in, shares of copied spans and the longest one out."""
    finder = CopyFinder(ids, training)
    shares = {_copied(length): finder.share(length) for length in _COPY_LENGTHS}
    rounded = {k: None if v is None else round(v, 4) for k, v in shares.items()}
    return {**rounded, "longest copied span (characters)": finder.longest()}


def _copied(length: int) -> str:
    return f"spans of {length} characters copied (share)"


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None
