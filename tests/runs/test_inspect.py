"""A planted unit is found and proved by all that the command does; untrained networks have none."""

import json

import numpy as np
import pytest
import torch

from seqforge.core.config import ModelConfig, RunConfig
from seqforge.core.inspection.controls import untrained
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.checkpoint import Checkpoint, ModelCard, save_checkpoint
from seqforge.errors import InputError
from seqforge.runs.inspect import inspect_model
from seqforge.runs.inspect_files import write_files
from seqforge.runs.inspect_view import view_of
from seqforge.runs.progress import NullProgress
from tests.core.sampling.tiny import checkpoint

SYMBOLS = tuple("\n ()abcdefg")
PLANTED = 5
"""The unit that is 1 from an opening bracket to the closing one, and -1 elsewhere."""


def planted():
    """A plain recurrent network, random but for one unit, which nothing else disturbs: a latch."""
    settings = ModelConfig(cell="rnn", hidden_size=24, embedding_size=12)
    torch.manual_seed(1)
    network = CharRNN(len(SYMBOLS) + 1, **settings.model_dump())
    opening, closing = (1 + SYMBOLS.index(symbol) for symbol in "()")
    with torch.no_grad():
        layer = network.layers[0]
        network.embedding.weight[:, 0] = 0
        network.embedding.weight[opening, 0], network.embedding.weight[closing, 0] = 1, -1
        network.embedding.weight[0, 0] = -1
        layer.weight_ih_l0[:, 0] = 0
        layer.weight_ih_l0[PLANTED] = 0
        layer.weight_ih_l0[PLANTED, 0] = 10
        layer.weight_hh_l0[PLANTED] = 0
        layer.weight_hh_l0[:, PLANTED] = 0
        layer.weight_hh_l0[PLANTED, PLANTED] = 3
        layer.bias_ih_l0[PLANTED] = layer.bias_hh_l0[PLANTED] = 0
        network.output.weight[:, PLANTED] = 0
        network.output.weight[[opening, closing]] = 0
        network.output.weight[closing, PLANTED], network.output.bias[closing] = 4, -4
        network.output.bias[0] = -20  # it goes on and on
    card = ModelCard(
        seqforge_version="0", name="planted", config=RunConfig(domain="text", model=settings),
        symbols=SYMBOLS,
    )  # fmt: skip
    return Checkpoint(card, network.arrays())


def bracketed_text(symbols):
    """A text whose brackets are open for some ten symbols."""
    random = np.random.default_rng(0)
    text, inside = [], False
    for _ in range(symbols):
        if random.random() < 0.1:
            text.append(")" if inside else "(")
            inside = not inside
        else:
            text.append("abcdefg \n"[random.integers(9)])
    return "".join(text)


@pytest.fixture(scope="module")
def bracketed(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "bracketed.txt"
    path.write_text(bracketed_text(30_000))
    return path


def inspected(checkpoint, folder, text):
    path = folder / "model.safetensors"
    save_checkpoint(path, checkpoint.card, checkpoint.weights)
    return inspect_model(path, [str(text)], NullProgress())


@pytest.fixture(scope="module")
def found(bracketed, tmp_path_factory):
    return inspected(planted(), tmp_path_factory.mktemp("planted"), bracketed)


def depth_rows(result):
    return [row for row in result.units if row.annotation == "inside parentheses"]


def test_a_planted_unit_is_first_and_beats_the_controls(found):
    first = depth_rows(found.result)[0]

    assert (first.layer, first.unit) == (0, PLANTED)
    assert first.found
    assert first.value > 0.95
    assert max(map(abs, first.untrained)) < 0.6
    assert len(first.untrained) == 5
    assert max(first.shifted) < 0.55
    assert len(first.shifted) == 20


def test_silencing_it_costs_where_the_brackets_are_open(found):
    cost = depth_rows(found.result)[0].ablation

    assert cost.where > 0.2
    assert abs(cost.elsewhere) < 0.1
    assert abs(cost.random_highest) < 0.05


def test_driving_it_does_what_it_stands_for(found):
    """Held open, it closes brackets; held closed, it never does, and all are open for ever."""
    drive = depth_rows(found.result)[0].drive

    assert (drive.low, drive.high) == pytest.approx((-1, 1), abs=0.01)
    assert drive.at_low > 0.9 > drive.undriven > drive.at_high
    assert drive.at_low - drive.at_high > 0.2
    assert all(abs(other) < drive.at_low - drive.at_high for other in drive.random)


def test_random_units_are_those_that_vary(found):
    """Of the half that varies more, and never the one under test."""
    spread = found.trace.units()[: 1 << 14].std(axis=0)
    drive = depth_rows(found.result)[0].drive

    assert np.median(spread) > 0
    assert len(drive.random) == 4
    assert any(drive.random)


def test_an_untrained_network_has_no_such_unit(bracketed, tmp_path):
    result = inspected(untrained(planted(), 17), tmp_path, bracketed).result

    assert depth_rows(result)
    assert not any(row.found for row in depth_rows(result))


def test_the_probe_of_the_layer_tells_the_same(found):
    probes = {(row.layer, row.annotation): row.value for row in found.result.probes}

    assert probes[0, "inside parentheses"] > 0.95


def test_what_is_forgotten_costs_bits_after_a_reset(found):
    """A bracket may be open for long: one symbol is not enough to tell."""
    bits = found.result.bits_after_reset

    assert bits["1"] > bits["64"] > bits["all"] - 0.01
    assert bits["512"] == pytest.approx(bits["all"], abs=0.01)


def test_the_files_hold_what_was_found(found, tmp_path, bracketed):
    write_files(found, tmp_path, NullProgress())

    kept = json.loads((tmp_path / "units.json").read_text())
    assert kept == found.result.model_dump(mode="json")
    lines = (tmp_path / "trace.tsv").read_text().splitlines()
    assert len(lines) == 30_001
    cells = [line.split("\t") for line in lines]
    assert {len(row) for row in cells} == {15}
    said = "".join({"\\n": "\n"}.get(row[2], row[2]) for row in cells[1:])
    assert said == bracketed.read_text()
    bits = np.array([float(row[3]) for row in cells[1:]])
    assert bits.mean() == pytest.approx(found.result.bits_per_symbol, abs=1e-4)
    assert not list(tmp_path.glob("*.bedgraph"))
    page = (tmp_path / "inspect.html").read_text()
    assert f"0:{PLANTED}" in page
    assert len(page) < 5_000_000


def test_the_page_shows_found_units_first_and_has_values_of_each_once(found):
    view = view_of(found)

    assert (view.units[0].layer, view.units[0].unit) == (0, PLANTED)
    assert len(view.units) == len(found.result.units)
    coloured = [(one.layer, one.unit) for one in view.units if one.values is not None]
    assert len(set(coloured)) == len(coloured) == min(16, len({one.name for one in view.units}))
    np.testing.assert_allclose(view.units[0].values, found.trace.units()[:, PLANTED], atol=1e-6)
    assert [record.length for record in view.records] == [len(view.symbols)] == [30_000]


def small_model(path, domain, symbols, **options):
    """A network of random weights for what a domain writes."""
    made = checkpoint(symbols=tuple(sorted(symbols)), hidden_size=8)
    config = RunConfig(domain=domain, domain_options=options, model=made.card.config.model)
    save_checkpoint(path, made.card.model_copy(update={"config": config}), made.weights)
    return path


def test_notes_of_tunes_stand_at_their_symbols_on_the_page(tmp_path):
    path = tmp_path / "two.abc"
    path.write_text(
        "X:1\nM:2/4\nL:1/8\nK:C\nC2C2|G2G2|A2A2|G4|]\n\nX:2\nM:2/4\nL:1/8\nK:C\nc4|e4|]\n"
    )

    model = small_model(tmp_path / "model.safetensors", "music", set(path.read_text()), code="abc")

    view = view_of(inspect_model(model, [str(path)], NullProgress()))

    assert [len(tune.notes) for tune in view.tunes] == [7, 2]
    for tune, letters in zip(view.tunes, ("CCGGAAG", "ce"), strict=True):
        assert "".join(view.symbols[note.start] for note in tune.notes) == letters
    assert view.tunes[1].stop == len(view.symbols)


def test_a_table_adds_what_units_may_follow(bracketed, tmp_path):
    text = bracketed.read_text()
    rows = [str(int(symbol == "a")) for symbol in text]
    table = tmp_path / "more.tsv"
    table.write_text("\n".join(["is an a", *rows]) + "\n")
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, planted().card, planted().weights)

    result = inspect_model(path, [str(bracketed)], NullProgress(), [table]).result

    assert any(row.annotation == "is an a" for row in result.units)


def test_of_genomes_both_strands_are_written(tmp_path):
    """The surprise of the reverse complement, read the other way, stands at the same bases."""
    from seqforge import load

    bases = "".join(np.random.default_rng(3).choice(list("ACGT"), 700))
    path = tmp_path / "x.fa"
    path.write_text(f">chr1 of nothing\n{bases[:300]}NNNN{bases[300:]}\n")
    small = small_model(tmp_path / "model.safetensors", "genome", "ACGT")

    found = inspect_model(small, [str(path)], NullProgress())
    write_files(found, tmp_path, NullProgress())

    model, tracks = load(small), {}
    for name in ("surprise", "surprise-reverse"):
        head, *lines = (tmp_path / f"{name}.bedgraph").read_text().splitlines()
        assert head.startswith("track type=bedGraph")
        rows = [line.split("\t") for line in lines]
        assert [int(row[1]) for row in rows] == [*range(300), *range(304, 704)]
        assert all(row[0] == "chr1" and int(row[2]) == int(row[1]) + 1 for row in rows)
        tracks[name] = [float(row[3]) for row in rows]
    np.testing.assert_allclose(tracks["surprise"][:300], model.score(bases[:300]), atol=2e-3)
    other = bases[300:][::-1].translate(str.maketrans("ACGT", "TGCA"))
    np.testing.assert_allclose(
        tracks["surprise-reverse"][300:], model.score(other)[::-1], atol=2e-3
    )


def test_a_text_without_a_known_symbol_is_refused(tmp_path):
    text = tmp_path / "x.txt"
    text.write_text("ÄÖÜ" * 100)

    with pytest.raises(InputError, match=r"x\.txt: holds no symbol that the model knows"):
        inspected(planted(), tmp_path, text)


def test_a_table_stands_beside_what_the_domain_says(tmp_path):
    text, table = tmp_path / "x.txt", tmp_path / "mine.tsv"
    text.write_text("ab(cd)Äef\n" * 200)
    rows = ["is d\tside", *("1\t2.5" if s == "d" else "0\t" for s in text.read_text())]
    table.write_text("\n".join(rows) + "\n")
    path, planted_model = tmp_path / "model.safetensors", planted()
    save_checkpoint(path, planted_model.card, planted_model.weights)

    found = inspect_model(path, [str(text)], NullProgress(), [table])

    named = {one.name: one for one in found.annotations}
    assert "inside parentheses" in named
    assert named["is d"].measure == "auc"
    np.testing.assert_array_equal(named["is d"].values, [s == "d" for s in "ab(cd)ef\n" * 200])
    assert "side" not in named  # it never varies where it is known
    with pytest.raises(InputError, match=r"model.safetensors: is not known as a file of annot"):
        inspect_model(path, [str(text)], NullProgress(), [path])


def test_a_network_of_one_unit_is_inspected_too(bracketed, tmp_path):
    settings = ModelConfig(cell="gru", hidden_size=1, embedding_size=2)
    torch.manual_seed(1)
    network = CharRNN(len(SYMBOLS) + 1, **settings.model_dump())
    card = planted().card.model_copy(update={"config": RunConfig(domain="text", model=settings)})

    found = inspected(Checkpoint(card, network.arrays()), tmp_path, bracketed)

    assert {(row.layer, row.unit) for row in found.result.units} == {(0, 0)}
    write_files(found, tmp_path, NullProgress())
    assert (tmp_path / "inspect.html").is_file()
