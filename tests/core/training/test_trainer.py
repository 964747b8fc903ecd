"""Training: it learns, it scores what it says, and it goes on exactly where it stopped."""

import math

import numpy as np
import pytest
import torch

from seqforge.core.config import Budget, DataConfig, ModelConfig, RunConfig, Split, TrainingConfig
from seqforge.core.data.corpus import TokenPart
from seqforge.core.data.domain import Record
from seqforge.core.data.ingest import ingest
from seqforge.core.data.vocabulary import END
from seqforge.core.evaluation.likelihood import chunked, evenly, score, symbol_losses
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.training.resume import load_state, save_state, snapshot
from seqforge.core.training.task import NextSymbol
from seqforge.core.training.trainer import Trainer, learning_rate
from seqforge.errors import CheckpointError
from tests.core.data.test_ingest import Records


def corpus_of(tmp_path_factory, text, split="90/5/5"):
    folder = tmp_path_factory.mktemp("corpus")
    domain = Records({"f": [Record(text)]})
    from pathlib import Path

    return ingest(domain, [Path("f")], DataConfig(split=split), folder)[0]


def dna(length, seed=0):
    """Markov: each base prefers its successor in ACGT."""
    rng = np.random.default_rng(seed)
    steps = rng.choice(4, length, p=[0.1, 0.7, 0.1, 0.1])
    return "".join("ACGT"[i] for i in np.cumsum(steps) % 4)


def trainer_for(corpus, config, model=None):
    torch.manual_seed(config.seed)
    settings = model or ModelConfig(hidden_size=32, num_layers=2)
    network = CharRNN(len(corpus.vocabulary), **settings.model_dump())
    return Trainer(network, NextSymbol(corpus, config), config)


def test_a_tiny_model_learns_repeats_below_a_fifth_of_a_bit(tmp_path_factory):
    corpus = corpus_of(tmp_path_factory, "ACGT" * 2000)
    config = TrainingConfig(budget="150steps", batch_size=16, seq_len=32, lanes=1, precision="fp32")
    trainer = trainer_for(corpus, config)
    trainer.run(lambda evaluation: None)

    assert score(trainer.model, corpus.test) < 0.2


def test_a_model_reaches_the_entropy_of_the_source(tmp_path_factory):
    """A first-order Markov source of 1.357 bits: below it is impossible, near it is right."""
    corpus = corpus_of(tmp_path_factory, dna(60_000), "80/10/10")
    config = TrainingConfig(budget="400steps", batch_size=16, seq_len=32, lanes=2, precision="fp32")
    trainer = trainer_for(corpus, config)
    trainer.run(lambda evaluation: None)
    entropy = -(0.7 * math.log2(0.7) + 3 * 0.1 * math.log2(0.1))

    found = score(trainer.model, corpus.test)

    noise = 3 * 1.1 / math.sqrt(corpus.test.scored)  # the test text is a sample of the source
    assert entropy - noise < found < entropy + noise + 0.01


def test_a_step_reports_the_mean_of_the_last_twenty(tmp_path_factory):
    """Evaluations each twenty steps are of the same steps."""
    corpus = corpus_of(tmp_path_factory, dna(60_000), "80/10/10")
    config = TrainingConfig(
        budget="60steps", batch_size=8, seq_len=16, lanes=1, precision="fp32", num_evaluations=3
    )
    evaluations, reports = [], []
    trainer_for(corpus, config).run(evaluations.append, reports.append)

    assert [report.recent_steps for report in reports] == [*range(1, 20), *[20] * 41]
    assert [one.step for one in evaluations] == [20, 40, 60]
    for one in evaluations:
        assert reports[one.step - 1].train_bits == pytest.approx(one.train_bits)


def test_the_score_is_the_mean_over_all_symbols_in_one_pass(tmp_path_factory):
    """Chunks warmed on what precedes them score within 0.001 bits of one single stream."""
    corpus = corpus_of(tmp_path_factory, dna(80_000), "60/40/0")
    config = TrainingConfig(budget="80steps", batch_size=16, seq_len=32, precision="fp32")
    trainer = trainer_for(corpus, config)
    trainer.run(lambda evaluation: None)
    model, part = trainer.model.eval(), corpus.valid
    (segment,) = part.segments.tolist()
    start, scored_from, stop = segment

    with torch.inference_mode():
        ids = torch.from_numpy(part.tokens[start:stop].astype(np.int64))[None]
        logits, _ = model(ids[:, :-1])
        losses = -torch.log_softmax(logits[0].double(), 1)[range(stop - start - 1), ids[0, 1:]]
    plain = losses[scored_from - start - 1 :].mean().item() / math.log(2)

    assert len(chunked([segment])) > 3
    assert score(model, part) == pytest.approx(plain, abs=0.001)
    assert score(model, part, threads=2) == pytest.approx(score(model, part), abs=1e-6)


def test_short_records_are_scored_each_from_the_start_symbol():
    torch.manual_seed(0)
    model = CharRNN(6, hidden_size=12)
    rng = np.random.default_rng(0)
    records = [rng.integers(1, 6, rng.integers(1, 40)) for _ in range(150)]
    tokens, segments = [END], []
    for record in records:
        segments.append((len(tokens) - 1, len(tokens), len(tokens) + len(record) + 1))
        tokens += [*record.tolist(), END]
    part = TokenPart(np.array(tokens, np.uint8), np.array(segments), 0, len(records))

    total, count = 0.0, 0
    with torch.inference_mode():
        for record in records:
            ids = torch.tensor([[END, *record.tolist(), END]])
            logits, _ = model(ids[:, :-1])
            total -= (
                torch.log_softmax(logits[0], 1)[range(len(record) + 1), ids[0, 1:]].sum().item()
            )
            count += len(record) + 1

    assert part.scored == count
    assert score(model, part) == pytest.approx(total / count / math.log(2), abs=1e-5)
    assert sum(len(losses) for _, losses in symbol_losses(model, part)) == count


def test_a_cheap_look_takes_chunks_from_all_over():
    chunks = [(i, i, i + 10) for i in range(0, 1000, 10)]
    few = evenly(chunks, 200)

    assert len(few) == 20
    assert few[0][0] < 100
    assert few[-1][0] > 900
    assert evenly(chunks, None) == evenly(chunks, 10**6) == chunks


CONFIG = TrainingConfig(
    budget="60steps", batch_size=8, seq_len=16, lanes=2, precision="fp32", num_evaluations=5, seed=3
)
DROPPING = ModelConfig(hidden_size=24, num_layers=2, dropout=0.3)
EVERYTHING = (
    CONFIG.model_copy(update={
        "ema_share": 0.2, "schedule": "plateau", "learning_rate": 0.02, "grad_accumulation": 2,
        "label_smoothing": 0.1, "scheduled_sampling": 0.3,
    }),
    ModelConfig(cell="gru", hidden_size=24, num_layers=2, dropout=0.3, variational=True,
                weight_drop=0.2, embedding_dropout=0.1, attention=20),
)  # fmt: skip


@pytest.fixture(scope="module", params=[(CONFIG, DROPPING), EVERYTHING], ids=["plain", "all"])
def undisturbed(request, tmp_path_factory):
    """Settings, corpus, a trainer that came to its end, and what it saw."""
    config, model = request.param
    corpus = corpus_of(tmp_path_factory, dna(20_000))
    whole, seen = trainer_for(corpus, config, model), []
    whole.run(seen.append)
    with whole.kept_weights():
        yield config, model, corpus, whole.model.arrays(), seen


@pytest.mark.parametrize("stop_at", [1, 12, 31, 59])
def test_going_on_from_a_saved_state_gives_the_same_bytes(undisturbed, tmp_path, stop_at):
    """N steps, save, load in a new trainer, M steps equal N + M steps: weights and evaluations."""
    config, model, corpus, weights, seen = undisturbed
    run_config = RunConfig(domain="genome", model=model, training=config)

    first, again = trainer_for(corpus, config, model), []
    first.run(again.append, should_stop=lambda: first.step == stop_at)
    save_state(tmp_path / "resume.safetensors", first, run_config, "hash")
    second = trainer_for(corpus, config, model)
    load_state(tmp_path / "resume.safetensors", second, run_config, "hash")
    second.run(again.append)

    with second.kept_weights():
        found = second.model.arrays()
    for name, array in weights.items():
        assert found[name].tobytes() == array.tobytes(), name
    timeless = [
        [(e.step, e.train_bits, e.valid_bits, e.best) for e in run] for run in (seen, again)
    ]
    assert timeless[0] == timeless[1]
    assert second.step == 60


def test_a_snapshot_is_not_changed_by_later_steps(tmp_path_factory):
    """It is written by a thread beside, while training goes on in the same memory."""
    config, model = EVERYTHING
    trainer = trainer_for(corpus_of(tmp_path_factory, dna(20_000)), config, model)
    trainer.run(lambda evaluation: None, should_stop=lambda: trainer.step == 3)
    run_config = RunConfig(domain="genome", model=model, training=config)
    _, arrays = snapshot(trainer, run_config, "hash")
    before = {name: array.tobytes() for name, array in arrays.items()}
    trainer.run(lambda evaluation: None, should_stop=lambda: trainer.step == 6)
    _, later = snapshot(trainer, run_config, "hash")

    assert all(array.tobytes() == before[name] for name, array in arrays.items())
    changed = {name.partition(".")[0] for name in later if later[name].tobytes() != before[name]}
    assert changed == {
        "model",
        "exp_avg",
        "exp_avg_sq",
        "steps",
        "average",
        "state",
        "unseen_losses",
    }


def test_a_state_of_another_run_is_refused_with_what_differs(tmp_path_factory, tmp_path):
    corpus = corpus_of(tmp_path_factory, dna(20_000))
    config = RunConfig(domain="genome", model=DROPPING, training=CONFIG)
    path = tmp_path / "resume.safetensors"
    save_state(path, trainer_for(corpus, CONFIG, DROPPING), config, "hash")
    other = config.model_copy(update={"training": CONFIG.model_copy(update={"seq_len": 17})})

    with pytest.raises(CheckpointError, match=r"training\.seq_len: 16 and 17"):
        load_state(path, trainer_for(corpus, CONFIG, DROPPING), other, "hash")
    with pytest.raises(CheckpointError, match="other input"):
        load_state(path, trainer_for(corpus, CONFIG, DROPPING), config, "another")


def test_patience_ends_a_run_that_no_longer_gets_better(tmp_path_factory):
    corpus = corpus_of(
        tmp_path_factory, "".join(np.random.default_rng(0).choice(list("ACGT"), 4000))
    )
    config = TrainingConfig(
        budget="4000steps", batch_size=8, seq_len=64, num_evaluations=100, patience=3,
        precision="fp32",
    )  # fmt: skip
    trainer = trainer_for(corpus, config, ModelConfig(hidden_size=64))
    seen = []

    assert trainer.run(seen.append)
    assert trainer.step < 4000
    assert len(seen) - 1 - [e.best for e in seen][::-1].index(True) < 100
    assert [e.best for e in seen][-4:] == [True, False, False, False]


def test_the_schedule_rises_and_falls_within_the_budget():
    config = TrainingConfig(learning_rate=1.0, warmup=0.1, final_lr_ratio=0.05)
    rates = [learning_rate(config, share) for share in np.linspace(0, 1, 101)]

    assert rates[10] == max(rates) == 1.0
    assert rates == sorted(rates[:11]) + sorted(rates[11:], reverse=True)
    assert rates[-1] == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("text", "budget"),
    [("90s", Budget(seconds=90)), ("10m", Budget(seconds=600)), ("2h", Budget(seconds=7200)),
     ("20000steps", Budget(steps=20000)), ("3epochs", Budget(epochs=3)),
     ("0.5m", Budget(seconds=30))],
)  # fmt: skip
def test_budgets_are_read(text, budget):
    assert Budget.parse(text) == budget


@pytest.mark.parametrize("text", ["", "10", "m", "-3s", "0s", "3 weeks", "1e3s"])
def test_what_is_no_budget_is_refused(text):
    with pytest.raises(ValueError, match="90s, 10m, 2h"):
        Budget.parse(text)


@pytest.mark.parametrize("text", ["90/5", "90/5/6", "0/50/50", "a/b/c", "110/-5/-5"])
def test_what_is_no_split_is_refused(text):
    with pytest.raises(ValueError, match="such as 90/5/5"):
        Split.parse(text)
