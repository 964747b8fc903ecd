"""The benchmarks of music measure what they say: their scores by hand, the commands end to end."""

import contextlib
import importlib
import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy

from tests.conftest import ROOT
from tests.forking import Command

FOLDER = ROOT / "benchmarks"
LENGTHS = (9, 2, 700, 13, 5)

torch.set_num_threads(1)


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


def roll(rng, length):
    """A piece of three keys in turn, a frame each, with one key at random above them."""
    frames = np.zeros((length, 88), np.uint8)
    frames[np.arange(length), 40 + (np.arange(length) + rng.integers(3)) % 3] = 1
    frames[:, 60] = rng.random(length) < 0.5
    return frames


@pytest.fixture
def mat_folder(tmp_path):
    """The three collections, tiny."""
    from scipy.io import savemat

    rng = np.random.default_rng(3)
    for name in ("JSB_Chorales", "Nottingham", "Piano_midi"):
        parts = {}
        for part, number in (("train", 12), ("valid", 3), ("test", 3)):
            cells = np.empty((1, number), dtype=object)
            for place in range(number):
                cells[0, place] = roll(rng, int(rng.integers(20, 60)))
            parts[part + "data"] = cells
        savemat(tmp_path / f"{name}.mat", parts)
    return tmp_path


def run(program, *options, folder):
    with contextlib.chdir(folder):
        command = Command(
            *options, "--out", "out.json", script=FOLDER / program, PYTHONPATH=str(ROOT)
        )
    said, complaints = command.communicate()
    assert command.returncode == 0, complaints
    return said, json.loads((folder / "out.json").read_text())


def test_a_model_is_scored_over_all_frames_but_the_first_of_each_piece(module):
    """Batches, padding and windows with carried state: the same as piece by piece."""
    frames = module("common.frames")
    rng = np.random.default_rng(0)
    pieces = [torch.from_numpy(roll(rng, length)).float() for length in LENGTHS]
    for cell in ("lstm", "gru"):
        model = frames.FrameModel(cell, frames.Recipe(hidden=6, layers=2)).eval()
        total = 0.0
        with torch.no_grad():
            for piece in pieces:
                shares = torch.sigmoid(model(piece[:-1, None])[0][:, 0].double())
                total += binary_cross_entropy(shares, piece[1:].double(), reduction="sum").item()
        expected = total / (sum(LENGTHS) - len(LENGTHS))
        assert frames.scored(model, pieces, batch=2) == pytest.approx(expected, abs=1e-4)


def test_a_model_learns_what_comes_in_turn_but_nothing_of_what_is_random(module):
    """Below the first-order Markov chain, and not below the entropy of the one random key."""
    frames, polyphony = module("common.frames"), module("polyphony")
    rng = np.random.default_rng(1)
    part = [[torch.from_numpy(roll(rng, 40)).float() for _ in range(n)] for n in (40, 8, 8)]
    data = frames.FrameSet("jsb", *part)
    recipe = frames.Recipe(
        hidden=16, dropout=0.0, input_dropout=0.0, batch=8, average=0.9, learning_rate=1e-2,
        patience=2, halvings=0,
    )  # fmt: skip
    found = frames.fit(data, "gru", recipe, 0, 60.0)
    tossed = np.log(2)
    assert 0.95 * tossed < found.valid < 0.5 * polyphony.markov(data)
    assert found.valid == pytest.approx(frames.scored(found.model, data.valid), abs=1e-5)
    assert min(found.curve) == found.valid == found.curve[found.epochs - 1]


def test_the_same_seed_gives_the_same_training(module):
    frames = module("common.frames")
    rng = np.random.default_rng(1)
    part = [[torch.from_numpy(roll(rng, 30)).float() for _ in range(4)] for _ in range(3)]
    recipe = frames.Recipe(hidden=4, patience=1, halvings=0, transpose=5, learning_rate=0.5)
    curves = [
        frames.fit(frames.FrameSet("jsb", *part), "lstm", recipe, seed, 60.0).curve
        for seed in (0, 0, 1)
    ]
    assert curves[0] == curves[1] != curves[2]


def test_baselines_by_hand(module):
    polyphony, frames = module("polyphony"), module("common.frames")
    rng = np.random.default_rng(2)
    train, test = ([roll(rng, 30) for _ in range(n)] for n in (3, 2))
    tensors = [[torch.from_numpy(piece).float() for piece in part] for part in (train, test)]
    data = frames.FrameSet("jsb", tensors[0], [], tensors[1])
    count = np.zeros((2, 88, 2))  # before, key, after
    for piece in train:
        for before, after in pairwise(piece):
            for key in range(88):
                count[before[key], key, after[key]] += 1
    bernoulli = markov = frames_seen = 0
    for piece in test:
        for before, after in pairwise(piece):
            frames_seen += 1
            for key in range(88):
                row, alone = count[before[key], key], count[:, key].sum(0)
                markov -= np.log((row[after[key]] + 1) / (row.sum() + 2))
                bernoulli -= np.log((alone[after[key]] + 1) / (alone.sum() + 2))
    assert polyphony.markov(data) == pytest.approx(markov / frames_seen, rel=1e-5)
    assert polyphony.bernoulli(data) == pytest.approx(bernoulli / frames_seen, rel=1e-5)


def test_transposing_moves_all_keys_and_loses_none(module):
    frames = module("common.frames")
    piece = torch.zeros(2, 88)
    piece[0, 3] = piece[1, 80] = 1
    assert frames.transposed(piece, 5).nonzero().tolist() == [[0, 8], [1, 85]]
    for too_far in (-4, 8):
        assert frames.transposed(piece, too_far) is piece


def test_polyphony_keeps_the_rows_that_it_does_not_measure_anew(mat_folder):
    options = ("--data", ".", "--budget", 0.002)
    run("polyphony.py", *options, "--sets", "jsb", "piano", "--cells", "gru", folder=mat_folder)
    said, found = run(
        "polyphony.py", *options, "--sets", "jsb", "--cells", "lstm", folder=mat_folder
    )
    assert [(row["set"], row["model"]) for row in found["rows"]] == [
        ("jsb", "Bernoulli"), ("jsb", "Markov"), ("jsb", "tcn"), ("jsb", "gru"), ("jsb", "lstm"),
        ("piano", "Bernoulli"), ("piano", "Markov"), ("piano", "gru"),
    ]  # fmt: skip
    lstm = found["rows"][4]
    assert lstm["Bai et al."] == 8.45
    assert 0 < lstm["test"] < 88
    assert lstm["recipe"]["transpose"] == 5
    assert "Markov" in said


def test_openings_are_written_where_the_standard_goes_back_to(module):
    decoder = module("abc_decoder")
    for text, expected in {
        "A|B:|c|d:|": " |:A|B:| |:c|d:|",
        "|:A|B:|c|d|": "|:A|B:|c|d|",
        "A|1B:|2c||d|e:|": " |:A|1B:|2c|| |:d|e:|",
        "|:A||B:|": "|:A||B:|",
        "A||B:|c||d:|": "A|| |:B:|c|| |:d:|",
    }.items():
        assert decoder.with_openings("K:C\n" + text) == f"K:C\n{expected}\n", text


def test_the_decoder_is_compared_timed_and_damaged(tmp_path):
    _, found = run("abc_decoder.py", "--tunes", 12, "--damaged", 30, "--rounds", 1, folder=tmp_path)
    assert found["speed"]["tunes/s"] > 0
    assert found["damaged"]["raised"] == 0
    if "abc2midi" in found:
        assert found["abc2midi"]["% equal, each |: written out"] >= 90


def test_round_trips_are_counted(tmp_path):
    _, found = run("round_trips.py", "--chorales", 0, "--tunes", 3, "--random", 4, folder=tmp_path)
    assert [(row["number"], row["exact"]) for row in found["rows"]] == [(3, 3), (4, 4), (4, 4)]


def test_continuations_of_a_melody_are_judged(tmp_path):
    melody = ROOT / "data" / "melody.mid"
    shown, document = run(
        "continuing.py", melody, "--count", 4, "--temperatures", 0.5, folder=tmp_path
    )
    with_grammar, without = document["rows"]
    assert (with_grammar["grammar"], without["grammar"]) == (True, False)
    assert with_grammar["begin with it"] == with_grammar["its metre"] == 1
    assert with_grammar["full bars"] == 1
    assert 0 <= with_grammar["its key, added"] <= 1
    assert "temperature" in shown


def test_what_is_read_of_midi_agrees_with_mido_and_pretty_midi(module, tmp_path):
    agreement = module("midi_agreement")
    melody = ROOT / "data" / "melody.mid"
    found = agreement.row("melody.mid", melody)
    same = ("notes", "mido", "onsets", "durations", "velocities", "programs", "pretty_midi")
    assert {found[what] for what in same} == {38}
    assert (found["tempos"], found["said"], found["left over"]) == (True, "", [])
    (tmp_path / "x.mid").write_bytes(melody.read_bytes())
    agreement.main([str(tmp_path), "--out", str(tmp_path / "out.json")])
    rows = json.loads((tmp_path / "out.json").read_text())["files"]
    assert [row["file"] for row in rows] == ["x.mid", "all 1"]


def test_notes_that_do_not_agree_are_listed(module, tmp_path, monkeypatch):
    agreement = module("midi_agreement")
    melody = ROOT / "data" / "melody.mid"
    piece = agreement.by_mido(melody)
    wrong = piece.notes[0]._replace(velocity=1)
    other = agreement.Piece((wrong, *piece.notes[1:]), 24, piece.tempos)
    monkeypatch.setattr(agreement, "by_mido", lambda path: other)
    found = agreement.row("x", melody)
    assert (found["onsets"], found["velocities"], len(found["left over"])) == (38, 37, 2)
