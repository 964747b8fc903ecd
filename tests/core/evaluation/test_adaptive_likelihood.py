"""Dynamic evaluation of the bundled models on real text, against the paper's update written out."""

import gzip
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from seqforge.core.config import DataConfig
from seqforge.core.data.ingest import ingest
from seqforge.core.evaluation.adaptive_likelihood import DynamicNetwork, dynamic_score
from seqforge.core.evaluation.likelihood import score, symbol_log_probs
from seqforge.core.model.char_rnn import CharRNN, model_from_arrays
from seqforge.core.model.checkpoint import load_checkpoint
from seqforge.domains.text.domain import TextDomain
from seqforge.runs.folder import find_model


@pytest.fixture(scope="module")
def checkpoint():
    return load_checkpoint(find_model("shakespeare"))


@pytest.fixture
def model(checkpoint):
    card = checkpoint.card
    return model_from_arrays(len(card.vocabulary), card.config.model, checkpoint.weights, "x")


@pytest.fixture
def small(checkpoint):
    """Of random weights, for the same symbols."""
    torch.manual_seed(2)
    settings = checkpoint.card.config.model.model_copy(
        update={"hidden_size": 32, "embedding_size": 16}
    )
    return CharRNN(len(checkpoint.card.vocabulary), **settings.model_dump())


def corpus_of(folder, text, vocabulary, split="70/15/15"):
    (folder / "x.txt").write_text(text)
    corpus, _ = ingest(
        TextDomain(), [folder / "x.txt"], DataConfig(split=split), folder, vocabulary=vocabulary
    )
    return corpus


@pytest.fixture
def plays(shared_data, tmp_path, checkpoint):
    """The last 20,000 characters of Shakespeare, which the model was not trained on."""
    text = gzip.decompress((shared_data / "text" / "tinyshakespeare.txt.gz").read_bytes()).decode()
    return corpus_of(tmp_path, text[-20_000:], checkpoint.card.vocabulary)


@pytest.fixture
def scene(shared_data, tmp_path, checkpoint):
    """The last 10,000 of them."""
    text = gzip.decompress((shared_data / "text" / "tinyshakespeare.txt.gz").read_bytes()).decode()
    return corpus_of(tmp_path, text[-10_000:], checkpoint.card.vocabulary)


def slow_dynamic_bits(model, train, part, windows, rate=5e-4, decay=1e-3, segment=32):
    """The paper's update with RMS, weight by weight, with torch's own layers."""
    parameters = dict(model.named_parameters())
    first = {name: p.detach().clone() for name, p in parameters.items()}
    state = [None] * len(model.layers)

    def nats(symbols):
        x = model.embedding(symbols[:-1, None])
        for number, layer in enumerate(model.layers):
            x, after = layer(x, state[number])
            state[number] = after.detach()
        logits = model.output(x)[:, 0]
        return torch.nn.functional.cross_entropy(logits, symbols[1:], reduction="sum")

    def backward(loss):
        model.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)

    def tensor(tokens):
        return torch.from_numpy(tokens.astype(np.int64))

    squares = {name: torch.zeros_like(p) for name, p in first.items()}
    tokens = train.tokens
    for begin in np.linspace(64, len(tokens) - segment - 1, windows).astype(int).tolist():
        state = [None] * len(model.layers)
        nats(tensor(tokens[begin - 64 : begin + 1]))
        backward(nats(tensor(tokens[begin : begin + segment + 1])) / segment)
        for name, p in parameters.items():
            squares[name] += p.grad**2
    roots = {name: (total / windows) ** 0.5 for name, total in squares.items()}
    mean = torch.cat([root.flatten() for root in roots.values()]).mean()

    ((start, scored_from, stop),) = part.segments.tolist()
    state, total = [None] * len(model.layers), 0.0
    nats(tensor(part.tokens[start:scored_from]))
    for begin in range(scored_from, stop, segment):
        loss = nats(tensor(part.tokens[begin - 1 : min(begin + segment, stop)]))
        total += loss.item()
        if begin + segment > stop:
            break
        backward(loss / segment)
        with torch.no_grad():
            for name, p in parameters.items():
                p += (decay * roots[name] / mean).clamp(max=1) * (first[name] - p)
                p -= rate * p.grad / (roots[name] + 0.1 * mean)
    return total / math.log(2) / (stop - scored_from)


def test_it_is_the_papers_update_and_the_model_stays_as_it_was(small, scene):
    before = small.arrays()

    found = dynamic_score(small, scene.train, scene.test, 120)

    assert found.symbols == scene.test.scored
    assert found.frozen_bits == pytest.approx(score(small, scene.test), abs=1e-4)
    after = small.arrays()
    assert all(after[name].tobytes() == weights.tobytes() for name, weights in before.items())
    assert found.bits == pytest.approx(
        slow_dynamic_bits(small, scene.train, scene.test, 30), abs=2e-4
    )


def test_a_model_that_adapts_knows_the_end_of_a_play_better(model, plays):
    """And only the beginning of a part is scored where steps are few."""
    found = dynamic_score(model, plays.train, plays.test, 60)

    assert found.symbols == 60 * 32
    assert found.bits < found.frozen_bits - 0.02
    again = [dynamic_score(model, plays.train, plays.test, 12) for _ in range(2)]
    assert again[0] == again[1]


def test_without_a_rate_nothing_is_learned(small, plays):
    found = dynamic_score(small, plays.train, plays.test, 20, learning_rate=0)
    assert found.bits == pytest.approx(found.frozen_bits, abs=1e-5)


def test_lines_that_are_records_each_begin_anew(small, checkpoint, tmp_path, shared_data):
    """A step goes over several records shorter than a segment; all their ends are scored."""
    words = (shared_data / "labelled" / "names" / "English.txt").read_text().splitlines()
    known = [w for w in words if set(w) <= set(checkpoint.card.symbols)][:400]
    folder = tmp_path / "names"
    folder.mkdir()
    (folder / "x.txt").write_text("\n".join(known))
    corpus, _ = ingest(
        TextDomain(separator="\n"), [folder / "x.txt"], DataConfig(split="70/15/15"), folder,
        vocabulary=checkpoint.card.vocabulary,
    )  # fmt: skip

    found = dynamic_score(small, corpus.train, corpus.test, 1_000)

    assert corpus.test.records > 30
    assert found.symbols == corpus.test.symbols + corpus.test.records
    assert found.frozen_bits == pytest.approx(score(small, corpus.test), abs=1e-4)
    assert found.bits < found.frozen_bits


def gathered(chunks):
    return np.concatenate([log_probs for _, log_probs in chunks])


def test_its_log_probs_are_those_that_are_scored_and_sum_to_one(small, scene):
    learner = DynamicNetwork(small, scene.train, 30)
    found = gathered(learner.log_probs(scene.test))

    ((_, scored_from, stop),) = scene.test.segments.tolist()
    symbols = scene.test.tokens[scored_from:stop].astype(int)
    bits = -found[np.arange(len(found)), symbols].mean(dtype=np.float64) / math.log(2)
    assert bits == pytest.approx(dynamic_score(small, scene.train, scene.test, 120).bits, abs=1e-6)
    np.testing.assert_allclose(np.exp(found.astype(np.float64)).sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("every", [1, 3])
def test_nothing_of_a_symbol_is_used_before_it_is_scored(small, scene, every):
    """Up to the place where symbols change, and no further, the log-probabilities are the same."""
    at = int(scene.test.segments[0, 1]) + 700
    changed = scene.test.tokens.copy()
    changed[at:] = changed[at:][::-1]
    (start, scored_from, _), limit = scene.test.segments[0], at + 300
    parts = [
        replace(scene.test, tokens=tokens, segments=np.array([[start, scored_from, limit]]))
        for tokens in (scene.test.tokens, changed)
    ]

    one, other = (
        gathered(DynamicNetwork(small, scene.train, 10, every=every).log_probs(part))
        for part in parts
    )

    np.testing.assert_array_equal(one[:701], other[:701])
    assert (one[701:] != other[701:]).any(axis=1).all()


def test_it_learns_from_one_stretch_of_several_and_from_part_to_part(small, plays):
    frozen = gathered(symbol_log_probs(small, plays.test))
    nothing = DynamicNetwork(small, plays.train, 10, every=1_000_000)

    ((start, scored_from, stop),) = plays.test.segments.tolist()
    first = replace(plays.test, segments=np.array([[start, scored_from, scored_from + 1024]]))
    rest = replace(plays.test, segments=np.array([[start, scored_from + 1024, stop]]))
    whole = DynamicNetwork(small, plays.train, 10)
    parts = DynamicNetwork(small, plays.train, 10)

    np.testing.assert_allclose(gathered(nothing.log_probs(plays.test))[:32], frozen[:32], atol=1e-4)
    found = np.concatenate([gathered(parts.log_probs(part)) for part in (first, rest)])
    # The second part's state is read anew, by weights that know the first part.
    afar = abs(found - gathered(whole.log_probs(plays.test)))[1500:]
    assert afar.mean() < 0.01
    assert abs(found - frozen)[1500:].mean() > 10 * afar.mean()
