"""Advice on the size of a network: by counting, and from curves, real ones too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.config import ModelConfig, TrainingConfig
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.training.diagnosis import ModelSize, check_model_size, diagnose_curves
from seqforge.core.training.events import EvaluationRecord
from seqforge.core.training.task import NextSymbol
from seqforge.core.training.trainer import Trainer
from seqforge.runs.tensorboard import evaluation_record
from tests.core.training.test_trainer import corpus_of, dna


@pytest.mark.parametrize(
    ("weights", "symbols", "said"),
    [
        (150_000, 100_000_000, r"667 symbols a weight\): the model is small for the data"),
        (10_000_000, 10_000_000, r"1\.0 symbols a weight\): of the same order of magnitude, as"),
        (1_000_000, 300_000, r"3\.3 weights a symbol\): of the same .* give --dropout if it does"),
        (10_000_000, 100_000, r"100\.0 weights a symbol\): the model is large for the data"),
        (79_460, 20_089_272, r"79,460 weights, 20,089,272 training symbols \(253 symbols a"),
        (5, 0, r"inf weights a symbol"),
    ],
)
def test_beforehand_the_sizes_are_set_side_by_side(weights, symbols, said):
    """The first two are char-rnn's own examples: heavy under-fitting, and just about right."""
    assert __import__("re").search(said, check_model_size(ModelSize(weights, symbols)))


def test_who_drops_out_already_is_told_to_drop_more():
    assert "give more --dropout" in check_model_size(ModelSize(10**7, 10**5, dropout=0.2))


def curve(train, valid):
    return [
        EvaluationRecord(step=10 * i, train_bits=a, valid_bits=b)
        for i, (a, b) in enumerate(zip(train, valid, strict=True), 1)
    ]


FALLING = 2 + 2 / np.arange(1, 21)
LEVEL = 2 + 2 * np.exp(-np.arange(20.0))
SIZE = ModelSize(1000, 1000)

CURVES = {
    "rising while training falls": (
        FALLING - 0.5, np.where(np.arange(20) < 9, FALLING, FALLING[8] + np.arange(20) / 50), 0,
        "over-fitting", r"ended 1\d\.\d% above their best \(.* at step 90\).*--dropout",
    ),
    "both rising": (
        2 + np.arange(20) / 20, 2 + np.arange(20) / 20, 0, "unsteady", "lower --learning-rate",
    ),
    "far apart, read often": (LEVEL - 0.4, LEVEL, 0, "over-fitting", r"lie 20\.0% apart; --drop"),
    "equal and level": (LEVEL, LEVEL, 0, "under-fitting", r"equal; a larger --hidden-size would"),
    "equal and falling": (
        FALLING, FALLING, 0, "under-fitting", r"not levelled off half way .*a longer --budget",
    ),
    "equal with dropout": (LEVEL, LEVEL, 0.3, "balanced", r"lie 0\.0% apart$"),
    "training worse with dropout": (
        LEVEL * 1.1, LEVEL, 0.3, "under-fitting", "less --dropout or a larger --hidden-size",
    ),
    "near each other and moving apart": (
        2.02 - np.arange(20) / 300, 2 + np.zeros(20), 0,
        "over-fitting", r"from step 50 on training bits fell by 0\.0.. while held-out",
    ),
    "a little apart": (LEVEL * 0.95, LEVEL, 0, "balanced", r"lie 5\.0% apart$"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("train", "valid", "dropout", "kind", "said"), CURVES.values(), ids=CURVES.keys()
)
def test_curves_tell(train, valid, dropout, kind, said):
    verdict = diagnose_curves(curve(train, valid), ModelSize(1000, 1000, dropout), 10**6)
    assert verdict.kind == kind
    assert __import__("re").search(said, verdict.sentence), verdict.sentence


def test_what_was_read_once_was_not_learnt_by_heart():
    verdict = diagnose_curves(curve(LEVEL - 0.4, LEVEL), SIZE, seen=1000)
    assert verdict.kind == "unlike data"
    assert "no symbol was read twice" in verdict.sentence


def test_who_has_not_read_everything_is_told_to_read_on():
    verdict = diagnose_curves(curve(LEVEL, LEVEL), SIZE, seen=40)
    assert "only 4% of the training symbols were read, a longer --budget" in verdict.sentence


def test_without_held_out_data_or_with_few_looks_nothing_is_said():
    assert diagnose_curves(curve(LEVEL, [None] * 20), SIZE, 1) is None
    assert diagnose_curves(curve(LEVEL[:4], LEVEL[:4]), SIZE, 1) is None
    assert diagnose_curves([EvaluationRecord(step=1)] * 9, SIZE, 1) is None, "lines of another time"


KNOWN = ModelSize(1000, 1000, uniform=6.0, unigram=4.8)


@pytest.mark.parametrize(
    ("train", "valid", "said"),
    [
        ([60.0, 61.0], [60.2, 59.9], "^diverged: held-out 59.900 bits .* guessing .* 6.000"),
        ([6.3] * 20, [6.1] * 20, "^diverged: .* give a lower --learning-rate$"),
        ([5.0, 9.0], [5.1, 9.0], "lower --learning-rate; the model of the best step is kept$"),
        ([np.nan] * 9, [np.inf] * 9, "^diverged: held-out inf bits"),
        ([7.0] * 9, [None] * 9, "^diverged: training 7.000 bits"),
        ([4.9] * 9, [4.9] * 9, "^nothing learnt yet: .* no better than counting .*4.800"),
    ],
)
def test_worse_than_guessing_or_counting_is_never_called_under_fitting(train, valid, said):
    verdict = diagnose_curves(curve(train, valid), KNOWN, 10**6)
    assert verdict is not None
    assert __import__("re").search(said, verdict.sentence), verdict.sentence
    assert "larger --hidden-size" not in verdict.sentence
    assert "longer --budget" not in verdict.sentence


def test_after_a_few_steps_nothing_learnt_asks_for_more_of_them():
    verdict = diagnose_curves(curve([5.9, 5.5], [5.8, 5.4]), KNOWN, 10)
    assert verdict.sentence.endswith("only 1% of the training symbols were read, a longer "
                                     "--budget would likely help")  # fmt: skip


def test_a_network_that_knows_its_training_data_has_not_diverged():
    verdict = diagnose_curves(curve([3.0] * 9, [7.0] * 9), KNOWN, 10**6)
    assert verdict.kind == "over-fitting"


@pytest.mark.parametrize("seen", [996, 999, 1000])
def test_all_but_the_last_window_is_all(seen):
    assert "were read" not in diagnose_curves(curve(LEVEL, LEVEL), SIZE, seen).sentence


@pytest.mark.parametrize(
    ("seen", "said"), [(994, "99%"), (3, "0.3%"), (0, "a thousandth or less"), (400, "40%")]
)
def test_how_much_was_read_is_neither_all_nor_nothing(seen, said):
    assert f"only {said} of the" in diagnose_curves(curve(LEVEL, LEVEL), SIZE, seen).sentence


def test_held_out_data_that_are_easier_are_not_under_fitted():
    verdict = diagnose_curves(curve(LEVEL + 0.5, LEVEL), SIZE, 10**6)
    assert verdict.kind == "unlike data"
    assert "easier than the training data" in verdict.sentence


numbers = st.none() | st.floats(0, 1e4) | st.just(float("nan"))


@given(st.lists(st.tuples(numbers, numbers), max_size=30), st.floats(0, 0.9), st.integers(0, 10**9))
def test_any_curve_at_all_may_come(points, dropout, seen):
    lines = curve([a for a, _ in points], [b for _, b in points])
    for known in ({}, {"uniform": 2.0, "unigram": 1.9}):
        verdict = diagnose_curves(lines, ModelSize(10, 10, dropout, **known), seen)
        assert verdict is None or verdict.sentence


def learnt(tmp_path_factory, text, steps, model):
    corpus = corpus_of(tmp_path_factory, text, "80/20/0")
    config = TrainingConfig(
        budget=f"{steps}steps", batch_size=16, seq_len=32, precision="fp32", learning_rate=5e-3
    )
    trainer = Trainer(
        CharRNN(len(corpus.vocabulary), **model.model_dump()), NextSymbol(corpus, config), config
    )
    lines = []
    trainer.run(lambda evaluation: lines.append(evaluation_record(evaluation)))
    trainer.close()
    size = ModelSize(trainer.model.num_parameters(), corpus.train.symbols)
    return size, diagnose_curves(lines, size, trainer.clock.symbols)


def test_a_large_network_on_a_little_noise_is_found_to_over_fit(tmp_path_factory):
    """Bases without any order: whatever is learnt beyond 2 bits was learnt by heart."""
    noise = "".join(np.random.default_rng(1).choice(list("ACGT"), 2000))
    size, verdict = learnt(tmp_path_factory, noise, 600, ModelConfig(hidden_size=128))

    assert "large for the data" in check_model_size(size)
    assert verdict.kind == "over-fitting", verdict
    assert "above their best" in verdict.sentence


def test_a_tiny_network_on_much_text_is_found_to_under_fit(tmp_path_factory):
    """Two cells and forty thousand times as many symbols: nothing can be learnt by heart."""
    size, verdict = learnt(
        tmp_path_factory, dna(100_000), 150, ModelConfig(hidden_size=2, embedding_size=2)
    )

    assert "small for the data" in check_model_size(size)
    assert verdict.kind == "under-fitting", verdict
    assert "a larger --hidden-size" in verdict.sentence
