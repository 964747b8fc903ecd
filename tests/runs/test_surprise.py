"""What the first held-out symbols cost, as the page shows it."""

import numpy as np

from seqforge.core.config import DataConfig
from seqforge.core.data.ingest import ingest
from seqforge.core.inspection.trace import trace
from seqforge.core.sampling.engine import KernelEngine
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.text.domain import TextDomain
from seqforge.runs.surprise import shown_surprise
from tests import small_runs
from tests.core.sampling.tiny import checkpoint


def corpus_of(domain, folder, name, content, split="80/0/20"):
    source = folder / name
    source.write_text(content)
    (folder / "corpus").mkdir()
    return ingest(domain, [source], DataConfig(split=split), folder / "corpus")[0]


def test_each_symbol_has_its_bits_and_the_text_before_counts(tmp_path):
    domain = TextDomain()
    corpus = corpus_of(domain, tmp_path, "a.txt", small_runs.text(8_000))
    model = checkpoint(symbols=corpus.vocabulary.symbols)
    found = shown_surprise(model, domain, corpus)

    held_out = corpus.sequences("test", 600)[0]
    assert found.text == held_out
    assert len(found.bits) == 600
    before = corpus.sequences("train", 10**6)[0][-512:]
    ids = corpus.vocabulary.encode(before + held_out)
    whole = trace(KernelEngine.of(model), [ids], "lstm").bits[len(before) :]
    assert np.abs(np.array(found.bits) - whole).max() < 0.01


def test_several_records_stand_on_lines_of_their_own(tmp_path):
    domain = MusicDomain(code="abc")
    corpus = corpus_of(domain, tmp_path, "a.abc", small_runs.tunes(120))
    found = shown_surprise(checkpoint(symbols=corpus.vocabulary.symbols), domain, corpus)
    first, second, *_ = corpus.sequences("test", 10**6)
    assert found.text.startswith(f"{first}\n{second}"[:500])
    assert len(found.text) == len(found.bits)
    assert found.bits[len(first)] == 0


def test_nothing_held_out_is_nothing_shown(tmp_path):
    domain = TextDomain()
    corpus = corpus_of(domain, tmp_path, "a.txt", small_runs.text(4_000), "100/0/0")
    assert shown_surprise(checkpoint(symbols=corpus.vocabulary.symbols), domain, corpus) is None
