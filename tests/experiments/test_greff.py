"""Chorales are read as they lie, scored as a plain loop scores them, and trials repeat."""

from contextlib import suppress

import numpy as np
import pytest
import torch

from seqforge.core.model.cells import zero_state
from seqforge.errors import ConfigError, InputError
from seqforge.experiments.greff import (
    KEYS,
    VARIANTS,
    FrameNetwork,
    GreffSettings,
    conclusion,
    nats,
    read_pieces,
    run,
    scored,
    sections,
    trials,
)
from seqforge.experiments.recipe import checked_settings


def pieces(seed, count):
    rng = np.random.default_rng(seed)
    found = np.empty((1, count), object)
    for number in range(count):
        found[0, number] = rng.random((rng.integers(3, 9), KEYS)) < 0.1
    return found


@pytest.fixture
def chorales(tmp_path):
    from scipy.io import savemat

    path = tmp_path / "few.mat"
    parts = {f"{part}data": pieces(n, 5) for n, part in enumerate(("train", "valid", "test"))}
    savemat(path, parts)
    return path


def settings(path, **changed):
    given = {"hidden_size": 8, "epochs": 3, "batch_size": 2, **changed}
    return GreffSettings(data=(str(path),), **given)


def test_pieces_are_read_as_they_lie(chorales):
    for n, part in enumerate(("train", "valid", "test")):
        for read, written in zip(
            getattr(read_pieces(chorales), part), pieces(n, 5)[0], strict=True
        ):
            assert (read.numpy() == written).all()


@pytest.mark.parametrize("cell", VARIANTS)
def test_a_score_is_that_of_a_plain_loop(cell):
    """Piece by piece, the layer's equations in torch, without padding; a piece's first frame is
    not predicted."""
    torch.manual_seed(0)
    network = FrameNetwork(cell, 12)
    given = [torch.from_numpy(np.float32(piece)) for piece in pieces(7, 6)[0]]
    total, count = 0.0, 0
    with torch.no_grad():
        for piece in given:
            x = piece[:-1, None]
            h, _ = network.layer.run(x, zero_state(cell, 1, 12, x))
            total += float(nats(network.output(h), piece[1:, None]).sum())
            count += len(x)
    assert scored(network, given) == pytest.approx(total / count, rel=1e-5)


def test_an_output_begins_at_how_often_each_key_sounds():
    network = FrameNetwork("lstm-np", 4)
    given = [torch.from_numpy(np.float32(piece)) for piece in pieces(1, 60)[0]]
    network.start_from(given)
    shares = torch.cat(given).mean(0).clamp(1e-4, 1 - 1e-4)
    assert torch.allclose(network.output.bias.sigmoid(), shares, atol=1e-6)


def test_a_trial_says_the_same_twice_and_training_helps(chorales):
    wanted = settings(chorales, epochs=12)
    for trial in trials(wanted)[:2]:
        first = run(trial, wanted)
        assert first == run(trial, wanted)
    untrained = run(trial, settings(chorales, epochs=1, learning_rate=1e-9))
    assert first["valid"] < untrained["valid"]


def test_what_is_no_file_of_chorales_is_refused_before_any_trial(tmp_path):
    from scipy.io import savemat

    with pytest.raises(ConfigError, match=r"data: chorales are wanted; give --input JSB"):
        checked_settings("greff", {}, "greff.toml")
    (tmp_path / "text.mat").write_text("C major\n" * 40)
    savemat(tmp_path / "other.mat", {"x": np.zeros(3)})
    savemat(tmp_path / "narrow.mat", {f"{p}data": np.zeros((1, 2)) for p in ("train", "valid")})
    (tmp_path / "empty.mat").write_bytes(b"")
    for name in ("none.mat", "text.mat", "other.mat", "narrow.mat", "empty.mat"):
        with pytest.raises(ConfigError, match=f"{name}: not a MATLAB file with traindata"):
            checked_settings("greff", {"data": [str(tmp_path / name)]}, "greff.toml")


def test_a_damaged_file_is_refused_or_read(chorales):
    """Cut anywhere, or with bytes changed."""
    whole, rng = chorales.read_bytes(), np.random.default_rng(0)
    path = chorales.with_name("damaged.mat")
    for _ in range(60):
        damaged = bytearray(whole[: rng.integers(len(whole))] if rng.random() < 0.5 else whole)
        for place in rng.integers(len(damaged) or 1, size=3 * bool(damaged)):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        read_pieces.cache_clear()
        with suppress(InputError):
            assert all(piece.shape[1] == KEYS for piece in read_pieces(path).test)


def test_the_page_has_every_variant_best_first(chorales):
    wanted = settings(chorales)
    worse = {"lstm-noaf": 0.5, "lstm-nfg": 0.3, "lstm-cifg": -0.2}
    rows = [
        {**t.fields, "test": 8.4 + worse.get(t.fields["cell"], 0) + t.fields["seed"] / 100}
        for t in trials(wanted)
    ]
    page = "".join(section.markup for section in sections(rows, wanted))
    places = [page.index(f'<th scope="row">{cell}</th>') for cell in VARIANTS]
    assert min(places) == places[list(VARIANTS).index("lstm-cifg")]
    assert max(places) == places[list(VARIANTS).index("lstm-noaf")]
    assert "<td>8.91</td><td>8.90 to 8.92</td><td>+0.50</td>" in page
    assert conclusion(rows, wanted) == (
        "Nats a frame, mean of 3 seeds: lstm-peephole 8.41. All seeds worse than all of it: "
        "lstm-nfg 8.71, lstm-noaf 8.91; all better: lstm-cifg 8.21."
    )
