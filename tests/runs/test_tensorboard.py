"""What is left of a training for people to watch, read back as TensorBoard reads it."""

import io
import json
import math
import signal
import wave

import numpy as np
import pytest

from seqforge.cli.main import app
from seqforge.core.cells.weights import gate_names
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.checkpoint import load_checkpoint
from seqforge.runs.folder import read_metrics
from seqforge.runs.tensorboard import model_graph
from tests.cli.conftest import seqforge, small, start, text_file  # noqa: F401
from tests.patience import wait_for


def board(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"), {"tensors": 0, "scalars": 0, "images": 0,
                                                         "audio": 0, "histograms": 0})  # fmt: skip
    events.Reload()
    return events


def metrics(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def tune_book(path, count=60):
    """Random tunes in G, each of 24 notes."""
    rng = np.random.default_rng(0)
    with path.open("w") as book:
        for number in range(count):
            notes = "|".join("".join(rng.choice(list("GABcdefg"), 6)) for _ in range(4))
            book.write(f"X:{number}\nM:3/4\nL:1/8\nK:G\n{notes}|]\n\n")
    return path


@pytest.fixture(scope="module")
def tunes(tmp_path_factory):
    """A small finished training on tunes."""
    from typer.testing import CliRunner

    run = tmp_path_factory.mktemp("tunes") / "run"
    book = tune_book(run.with_name("book.abc"))
    arguments = ["train", "music", book, *small(run), "--cell", "lstm", "--num-layers", 2,
                 "--dropout", 0.1, "--budget", "100steps"]  # fmt: skip
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return run, board(run)


def test_the_scalars_are_the_numbers_of_metrics_jsonl(tunes):
    run, events = tunes
    lines = metrics(run)
    names = {
        f"{part}_{measure}" for part in ("train", "valid")
        for measure in ("loss", "bits", "perplexity")
    } | {"learning_rate", "gradient_norm", "symbols_per_second", "elapsed_seconds"}  # fmt: skip

    assert set(events.Tags()["scalars"]) == names
    assert len(lines) == 5
    for name in names:
        shown = [(point.step, point.value) for point in events.Scalars(name)]
        assert shown == [(line["step"], pytest.approx(line[name], rel=1e-6)) for line in lines]
    for line in lines:
        assert line["valid_perplexity"] == pytest.approx(math.exp(line["valid_loss"]))
        assert line["valid_perplexity"] == pytest.approx(2 ** line["valid_bits"])


@pytest.mark.parametrize("group", ["weights", "gradients"])
def test_there_is_a_histogram_for_each_layer_gate_and_kind_of_weight(tunes, group):
    run, events = tunes
    gates = {
        f"{group}/layer_{layer}/{gate}/{weight}_{of}"
        for layer in (0, 1) for gate in gate_names("lstm")
        for weight in ("weight", "bias") for of in ("ih", "hh")
    }  # fmt: skip
    tags = {tag for tag in events.Tags()["histograms"] if tag.startswith(group)}
    rest = {f"{group}/{name}" for name in ("embedding/weight", "output/weight", "output/bias")}
    assert tags == gates | rest
    for tag in tags:
        points = events.Histograms(tag)
        assert [point.step for point in points] == [line["step"] for line in metrics(run)]
        assert sum(points[-1].histogram_value.bucket) == points[-1].histogram_value.num > 0


def test_the_last_histogram_of_the_weights_is_of_the_model_that_was_kept(tunes):
    run, events = tunes
    weights = load_checkpoint(run / "model.safetensors").weights
    best = max(line["step"] for line in metrics(run) if line["best"])
    (found,) = [p for p in events.Histograms("weights/embedding/weight") if p.step == best]
    value = found.histogram_value
    array = weights["embedding.weight"].astype(np.float64)
    assert (value.min, value.max) == pytest.approx((array.min(), array.max()))
    assert (value.sum, value.sum_squares) == pytest.approx(
        (array.sum(), (array**2).sum()), rel=1e-4
    )


def test_gradients_are_no_longer_than_they_are_clipped_to(tunes):
    _, events = tunes
    squares = sum(
        events.Histograms(tag)[-1].histogram_value.sum_squares
        for tag in events.Tags()["histograms"]
        if tag.startswith("gradients")
    )
    assert 0 < squares <= 1.0001


def test_the_graph_leads_from_symbols_to_the_loss(tunes):
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    _, events = tunes
    graph = GraphDef.FromString(events.Graph().SerializeToString())
    nodes = {node.name: node for node in graph.node}

    assert len(nodes) == len(graph.node)
    assert all(source in nodes for node in graph.node for source in node.input)
    reached, way = set(), ["loss"]
    while way:
        name = way.pop()
        reached.add(name)
        way += [source for source in nodes[name].input if source not in reached]
    assert reached == set(nodes), "everything takes part in the loss"
    shape = nodes["layer_1/lstm"].attr["_output_shapes"].list.shape[0]
    assert [dim.size for dim in shape.dim] == [8, 16, 16]


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "lstm-fgr", "mingru"])
@pytest.mark.parametrize("tied", [False, True])
def test_the_graph_has_every_weight_once(cell, tied):
    model = CharRNN(9, cell=cell, hidden_size=5, num_layers=3, tied=tied)
    graph = model_graph(model, 2, 7)
    for kind in (lambda op: op == "Parameter", lambda op: op != "Parameter"):
        counted = sum(node.attr["weights"].i for node in graph.node if kind(node.op))
        assert counted == model.num_parameters()


def test_each_look_has_a_sample_as_text_picture_and_sound(tunes):
    from tensorboard.util.tensor_util import make_ndarray

    run, events = tunes
    steps = [line["step"] for line in metrics(run)]
    texts = events.Tensors("sample/text_summary")
    assert [point.step for point in texts] == steps
    (last,) = make_ndarray(texts[-1].tensor_proto).tolist()
    assert all(line.startswith("    ") for line in last.decode().splitlines())
    assert len(last) > 20

    assert events.Tags()["images"] == ["sample/picture"]
    assert events.Tags()["audio"] == ["sample/sound"], "a tag of its own: else it is not shown"
    picture, sound = events.Images("sample/picture")[-1], events.Audio("sample/sound")[-1]
    assert picture.encoded_image_string.startswith(b"\x89PNG")
    assert picture.height >= 192
    with wave.open(io.BytesIO(sound.encoded_audio_string)) as audio:
        assert audio.getframerate() == 11_025
        heard = np.frombuffer(audio.readframes(audio.getnframes()), np.int16)
    assert np.abs(heard).max() > 20_000


def test_after_a_stop_the_log_goes_on_without_gap_or_double(seqforge, start, tmp_path, text_file):  # noqa: F811
    size = [*small(tmp_path / "run"), "--budget", "400steps",
            "--set", "training.num_evaluations=20"]  # fmt: skip
    process = start("train", "text", text_file, *size)
    wait_for(lambda: (tmp_path / "run" / "resume.safetensors").exists())
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = seqforge("train", "text", text_file, *size, "--resume", "--sample-every", "100steps")

    assert again.exit_code == 0, again.stderr
    lines = metrics(tmp_path / "run")
    assert [line["step"] for line in lines] == list(range(20, 401, 20))
    events = board(tmp_path / "run")
    for name in ("valid_bits", "train_loss"):
        shown = [(point.step, point.value) for point in events.Scalars(name)]
        assert shown == [(line["step"], pytest.approx(line[name], rel=1e-6)) for line in lines]
    assert len(events.Tensors("sample/text_summary")) >= len(lines) - 1


def test_watching_changes_no_weight(seqforge, tmp_path, text_file):  # noqa: F811
    for name, more in (("a", []), ("b", ["--sample-every", "1steps"])):
        result = seqforge("train", "text", text_file, *small(tmp_path / name), *more)
        assert result.exit_code == 0, result.stderr
    ours, theirs = (load_checkpoint(tmp_path / k / "model.safetensors").weights for k in "ab")
    assert all(ours[name].tobytes() == theirs[name].tobytes() for name in ours)


def test_metrics_of_an_older_version_are_still_read(tmp_path):
    from seqforge.charts.curve import learning_curve
    from seqforge.runs.folder import RunFolder

    old = {"step": 5, "elapsed_seconds": 1.0, "train_bits": 2.5, "valid_bits": 2.4, "best": True}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(old) + "\n" + '{"step": 6, "tra')
    lines = read_metrics(RunFolder(tmp_path))
    assert [line.model_dump(exclude_unset=True) for line in lines] == [old]
    assert learning_curve(lines) is not None
