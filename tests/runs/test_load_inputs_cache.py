"""What is kept of an input is used while every byte of it is as it was, and else read again."""

import os
import shutil
from itertools import cycle

import pytest

from seqforge.core.config import DataConfig
from seqforge.core.data.corpus import PARTS, Corpus
from seqforge.errors import RunError
from seqforge.runs.load_inputs import corpus_cache, gather, read_corpus
from seqforge.runs.pipeline import run
from seqforge.runs.progress import NullProgress
from seqforge.runs.request import RunRequest
from tests.small_runs import DAMAGES, material


def read(folder):
    """The corpus of a small text, its files, and what was said."""
    said = []
    inputs = gather("text", {}, [str(folder / "words.txt")], folder)
    corpus, lines = read_corpus(
        inputs, DataConfig(), folder / "ingest.tsv", lambda *_: None, say=said.append
    )
    files = {path.name: path.read_bytes() for path in corpus.folder.iterdir()}
    return corpus, lines, files, said


@pytest.fixture
def kept(tmp_path):
    material("text", tmp_path)
    return read(tmp_path)


def test_every_file_of_a_corpus_is_watched(kept, tmp_path):
    corpus, lines, files, said = kept
    assert said == []
    assert set(files) >= {"corpus.json", "ingest.tsv", *(f"{part}.npy" for part in PARTS)}
    kinds = cycle(DAMAGES.values())
    for name in [*files, *(["train.npy", "corpus.json"] * len(DAMAGES))]:
        (corpus.folder / name).write_bytes(next(kinds)(files[name]))

        again, lines_again, files_again, said = read(tmp_path)

        assert len(said) == 1, name
        assert f"{corpus.folder} is damaged ({name}" in said[0]
        assert said[0].endswith("it is read again")
        assert (again.folder, lines_again, files_again) == (corpus.folder, lines, files)
    assert [path.name for path in corpus_cache().iterdir()] == [corpus.folder.name]


@pytest.mark.parametrize("name", ["corpus.json", "train.npy", "ingest.tsv"])
def test_a_corpus_that_lacks_a_file_is_read_again(kept, tmp_path, name):
    corpus, _, files, _ = kept
    (corpus.folder / name).unlink()

    assert f"({name}" in read(tmp_path)[3][0]
    assert read(tmp_path)[2:] == (files, [])


def test_whoever_has_a_damaged_corpus_open_keeps_it(kept, tmp_path):
    corpus, *_ = kept
    tokens = corpus.train.tokens.tolist()
    (corpus.folder / "valid.npy").unlink()

    read(tmp_path)

    assert corpus.train.tokens.tolist() == tokens


def test_a_damaged_corpus_is_one_sentence_for_whoever_only_opens_it(kept):
    corpus, *_ = kept
    (corpus.folder / "train.npy").unlink()
    with pytest.raises(RunError, match="a damaged corpus"):
        Corpus(corpus.folder)


def test_a_cache_that_is_removed_while_a_run_works_does_not_end_it(tmp_path):
    class Removing(NullProgress):
        def evaluation(self, evaluation):
            shutil.rmtree(os.environ["SEQFORGE_CACHE"] + "/corpora", ignore_errors=True)

    small = {
        "training.budget": "4steps", "model.hidden_size": 8, "training.batch_size": 4,
        "training.seq_len": 8, "training.precision": "fp32", "training.lanes": 1,
        "sampling.length": 20, "sampling.count": 1, "training.num_evaluations": 4,
    }  # fmt: skip
    order = RunRequest("text", (str(material("text", tmp_path)),), small, tmp_path / "run")

    folder = run(order, Removing())

    assert folder.finished()
    assert not corpus_cache().is_dir() or not any(corpus_cache().iterdir())


def test_old_corpora_make_room_and_nothing_else_that_lies_there(tmp_path):
    cache = corpus_cache()
    old = [f"{number:032x}" for number in range(25)] + ["reading-x", "damaged-x"]
    for name in [*old, "mine", "x" * 32]:
        (cache / name).mkdir()
        os.utime(cache / name, (1e9, 1e9))

    material("text", tmp_path)
    corpus, *_ = read(tmp_path)

    left = {path.name for path in cache.iterdir()} - {corpus.folder.name}
    assert left >= {"mine", "x" * 32}
    assert len(left & {*old}) == 19
