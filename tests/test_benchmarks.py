"""The benchmarks measure what they say: on tiny settings, end to end; and their scores by hand."""

import argparse
import contextlib
import gzip
import importlib
import json

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from seqforge.core.data.corpus import TokenPart
from seqforge.core.model.checkpoint import save_checkpoint
from tests.conftest import ROOT
from tests.core.sampling.tiny import checkpoint
from tests.forking import Command
from tests.programs import find_program

FOLDER = ROOT / "benchmarks"
TEXT = "the cat sat on the mat, and the dog lay by the door.\n" * 120
TINY = ["--hidden-size", "8", "--batch-size", "4", "--seq-len", "8", "--lanes", "1",
        "--precision", "fp32"]  # fmt: skip
HEAD = {"machine", "versions", "seed", "settings"}

torch.set_num_threads(1)

BACKENDS = ["local", "blast+"] if find_program("blastn") else ["local"]

COMMANDS = {
    "speed": [
        "train_speed.py", "--cells", "lstm", "gru", "--layers", 1, "--hidden", 8, "--batch", 4,
        "--seq-len", 8, "--rounds", 2, "--seconds", 0.02, "--text", "text.txt",
        "--only", "loop, 1 ", "seqforge fp32, 1 ", "peak fp32, 1 ",
    ],
    "loss": [
        "train_speed.py", "--to-loss", "text.txt", "--loop-json", "loop.json", "--steps", 1,
        "--loop-threads", 1, "--budgets", "120steps", "--train-options", " ".join(TINY),
    ],
    "sampling": [
        "sample_speed.py", "--parts", "one", "many", "strategies", "memory", "--rounds", 1,
        "--models", "folk", "--streams", 3, "--seconds", 0.01,
    ],
    "first": ["first_command.py", "--rounds", 1, "--only", "sample fly", "help"],
    "quality": [
        "quality.py", "--shakespeare", "text.txt", "--data", "nowhere", "--runs", "lstm",
        "--steps", 4, "--threads", 1, "--budget", "20steps", "--set", "model.hidden_size=8",
        "training.lanes=1", "training.precision=fp32",
    ],
    "adapting": ["adapting.py", "--data", ".", "--lengths", 40, 200, "--places", 2],
    "blast": [
        "blast_speed.py", ROOT / "data" / "dm3-chr2R-slice.fa.gz", "--samples", 4, "--length", 90,
        "--rounds", 2, "--backends", *BACKENDS,
    ],
    "sequences": ["compare_sequences.py", "sequences", "--as-genbank", "--rounds", 1],
    "inspect": ["inspect_speed.py", "short.txt", "--model", "small.safetensors"],
    "ngrams": ["ngram_speed.py", "text.txt", "--symbols", 900, "--orders", 3],
    "midi": ["midi_reading.py", ROOT / "data", "--rounds", 2],
}  # fmt: skip


@pytest.fixture(scope="module")
def measured(tmp_path_factory, new_cache):
    """All commands, run side by side as a person would one; gives folder, what was said, JSON."""
    folder = tmp_path_factory.mktemp("benchmarks")
    (folder / "text.txt").write_text(TEXT)
    (folder / "short.txt").write_text(TEXT[:700])
    small = checkpoint(symbols=tuple(sorted(set(TEXT))))
    save_checkpoint(folder / "small.safetensors", small.card, small.weights)
    (folder / "text").mkdir()
    (folder / "sequences" / "deeper").mkdir(parents=True)
    (folder / "sequences" / "one.fa").write_text(">a b\nACGTNNRY\nacguX--\n>c\nACGT\n")
    (folder / "sequences" / "deeper" / "protein.fa").write_text(">p\nMKVLE\n")
    (folder / "text" / "ptb.test.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    surroundings = {"PYTHONPATH": str(ROOT), "SEQFORGE_CACHE": str(new_cache())}
    surroundings["OMP_NUM_THREADS"] = "1"  # of the trainings: they run beside each other
    with contextlib.chdir(folder):
        running = {
            name: Command(
                *options, "--out", f"{name}.json", script=FOLDER / program, **surroundings
            )
            for name, (program, *options) in COMMANDS.items()
        }
    said = {name: process.communicate() for name, process in running.items()}

    def result(name):
        printed, complaints = said[name]
        assert running[name].returncode == 0, complaints
        document = json.loads((folder / f"{name}.json").read_text())
        assert document.keys() >= HEAD
        assert document["versions"].keys() >= {"torch", "numpy", "seqforge", "python"}
        return folder, printed + complaints, document

    return result


@pytest.fixture
def module(monkeypatch):
    """Import one of the benchmarks' files; they lie beside each other and are no package."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


def test_train_speed_measures_and_compares(measured):
    _, said, found = measured("speed")
    assert [(row["model"], row["contender"]) for row in found["speeds"]] == [
        ("lstm 1x8", "loop, 1 thread"),
        ("lstm 1x8", "seqforge fp32, 1 lane"),
        ("gru 1x8", "loop, 1 thread"),
        ("gru 1x8", "seqforge fp32, 1 lane"),
    ]
    assert all(row["symbols/s"] > 0 and len(row["rounds"]) == 2 for row in found["speeds"])
    assert all(row["% of peak"] > 0 for row in found["speeds"])
    assert found["peaks"][0]["GFLOP/s"] > 0
    assert [row["model"] for row in found["ratios"]] == ["lstm 1x8", "gru 1x8"]
    assert "lstm 1x8" in said


def test_time_to_the_loops_loss_is_measured_and_the_loop_is_kept(measured, module):
    folder, _, found = measured("loss")
    kept = folder / "loop.json"
    loop, (run,) = found["loop"], found["runs"]
    assert loop == json.loads(kept.read_text())["loop"]
    assert run["seconds to the loop's loss"] <= run["training seconds"]
    assert run["times less"] == pytest.approx(loop["seconds"] / run["seconds to the loop's loss"])

    other = argparse.Namespace(to_loss=folder / "text.txt", loop_json=kept, steps=2, seed=0)
    with pytest.raises(SystemExit, match=r"loop\.json: is of another steps; remove it or"):
        module("common.to_loss").kept_loop(other, folder)


def test_the_first_command_and_later_ones_are_timed(measured):
    _, said, found = measured("first")
    rows = {row["command"]: row for row in found["commands"]}
    assert rows.keys() == {"sample fly -n 1 --length 200", "--help"}
    for row in rows.values():
        assert row["first, seconds"] > 0
        assert row["later, processor seconds"] > 0
    assert "sample fly -n 1" in said


def test_counting_ngrams_is_timed(measured):
    _, said, found = measured("ngrams")
    assert [(row["order"], row["smoothing"]) for row in found["models"]] == [
        (3, "none"),
        (3, "kneser-ney"),
    ]
    for row in found["models"]:
        assert row["symbols"] == 901  # with the end of the record
        assert row["counted, seconds"] > 0
        assert row["file, MB"] > 12e-6 * row["grams"]
    assert "peak memory, MB" in said


def test_the_stages_of_an_inspection_are_timed(measured):
    _, said, found = measured("inspect")
    assert found["symbols"] == 700
    stages = [row["stage"] for row in found["stages"]]
    assert stages[:4] == ["reading", "tracing", "ranking", "controls"]
    assert sum(row["CPU seconds"] for row in found["stages"]) > 0
    assert found["held_mb"] > 10
    assert "held at most" in said


def test_sampling_speed_is_measured_beside_the_eager_loop(measured):
    _, said, found = measured("sampling")
    assert [row["model"] for row in found["one"]][:3] == ["lstm 2x64", "lstm 2x128", "lstm 2x256"]
    for row in found["one"]:
        assert row["times"] == pytest.approx(row["kernel"] / row["loop"], abs=0.06)
        assert row["fastest loop"] >= row["loop"] > 0
    assert found["many"][-1]["drawn"].startswith("3 streams")
    assert [(row["model"], row["streams"]) for row in found["memory"]] == [
        ("folk", 1), ("folk", 3),
    ]  # fmt: skip
    assert {row["strategy"] for row in found["strategies"]} >= {"plain", "top-p 0.9"}
    assert "lstm 2x64" in said


def test_sequences_are_compared_with_biopython(measured):
    _, said, found = measured("sequences")
    protein, fasta, genbank = found["files"]
    assert "'L' is not a nucleotide code" in protein["refused"]
    assert [row["file"] for row in (fasta, genbank)] == ["one.fa", "one.fa as GenBank"]
    for row in (fasta, genbank):
        assert (row["records"], row["bases"]) == (2, 17)
        assert row["same names"] is row["same letters"] is True
    assert "2 of 2 files read the same; 1 refused" in said


def test_midi_reading_is_measured_beside_mido(measured):
    _, said, found = measured("midi")
    (melody, together) = found["files"]
    assert (melody["file"], melody["notes"], together["notes"]) == ("melody.mid", 38, 38)
    assert 0 < together["lowest"] <= together["of mido"] <= together["highest"]
    assert "melody.mid" in said


def test_quality_compares_with_a_transformer(measured):
    _, said, found = measured("quality")
    theirs, ours = found["rows"]
    assert theirs["contender"] == "transformer"
    assert ours["contender"] == "seqforge lstm"
    for row in (theirs, ours):
        assert row["scored"] == len(TEXT) // 10 + 1  # and the end
        assert 0 < row["carried"] < 5
        assert 0 < row["cold"] < 5
        assert len(row["curve"]) > 1
    assert "chr2R: skipped, there is no nowhere/genome/dm3-chr2R.fa.gz" in said


def test_adapting_is_measured_by_what_follows_the_prime(measured):
    _, said, found = measured("adapting")
    assert [(row["kind"], row["prime"]) for row in found["rows"]] == [
        ("news (ptb.test)", 40),
        ("news (ptb.test)", 200),
    ]
    for row in found["rows"]:
        assert row["adapted"] < row["as it is"]  # of one sentence again and again
        changes = [place["adapted"] - place["as it is"] for place in row["places"]]
        assert row["change"] == pytest.approx(np.mean(changes), abs=2e-4)
        assert row["worst change"] == pytest.approx(max(changes), abs=2e-4)
    assert "E. coli: skipped, there is no genome/ecoli-536.fa.gz" in said


def test_search_speed_is_measured_by_searches_that_find(measured):
    _, said, found = measured("blast")
    assert [row["backend"] for row in found["rows"]] == BACKENDS
    assert found["settings"]["library"]["letters"] > 200_000
    for row in found["rows"]:
        assert len(row["rounds"]) == 2
        assert row["median s"] > 0
        assert row["E <= 0.001"] == 2  # those that were cut from the library
        assert row["backend"] in said


def test_parts_that_are_files_are_cut_where_the_files_meet(tmp_path, module, monkeypatch):
    monkeypatch.setenv("SEQFORGE_CACHE", str(tmp_path))
    datasets = module("common.datasets")
    (data,) = [data for data in datasets.DATASETS if data.name == "ptb"]
    paths = [tmp_path / name for name in ("a.txt", "b.txt", "c.txt")]
    for number, path in enumerate(paths, 1):
        path.write_text(" no it was n't \n but <unk> \n" * 37 * number)
    _, _, corpus = datasets.read_data(data, paths, tmp_path)
    piece = len("no_it_was_n't\nbut_<unk>\n") * 37
    sizes = [corpus.part(name).symbols for name in ("train", "valid", "test")]
    assert sizes == [piece, 2 * piece, 3 * piece]
    assert corpus.sequences("test", 14) == ["no_it_was_n't\n"]


def test_the_loop_and_whole_windows_are_one_network(module):
    """The loop adds up what the window takes the mean of; ours has the same logits."""
    plain, to_loss = module("common.plain"), module("common.to_loss")
    model = plain.PlainModel(11, "lstm", 2, to_loss._HIDDEN)
    ids = torch.randint(11, (21, 3))
    torch.testing.assert_close(plain.loop_loss(model, ids) / 20, plain.window_loss(model, ids))

    logits, _ = to_loss.as_charrnn(model)(ids.T)
    torch.testing.assert_close(logits.transpose(0, 1), model(ids)[0])


def part_of(rng, *lengths):
    """A part of random tokens with a segment of each length, every one after five of context."""
    segments, end = [], 0
    for length in lengths:
        segments.append((end, end + 5, end + 5 + length))
        end += 5 + length
    return TokenPart(
        rng.integers(7, size=end).astype(np.uint8), np.array(segments), end, len(lengths)
    )


def test_windows_score_every_held_out_symbol_once_with_the_context_they_promise(module):
    held_out = module("common.held_out")
    part = part_of(np.random.default_rng(0), 1, 64, 300)
    wanted = [place for _, begin, stop in part.segments.tolist() for place in range(begin, stop)]
    for windows in (held_out.sliding_windows(part), held_out.cold_windows(part)):
        assert [place for _, a, b in windows.tolist() for place in range(a, b)] == wanted
        assert (windows[:, 2] - 1 - windows[:, 0]).max() == held_out.LENGTH
    sliding = held_out.sliding_windows(part)
    inside = sliding[sliding[:, 1] - 64 >= part.segments[2, 0]]
    assert len(inside) > 5
    assert (inside[:, 1] - inside[:, 0]).min() >= 33


def test_window_nats_of_a_model_without_memory_are_those_of_its_table(module):
    """A table of what follows each symbol scores the same whatever the windows are."""
    held_out = module("common.held_out")
    rng = np.random.default_rng(1)
    part = part_of(rng, 3, 500)
    table = torch.from_numpy(rng.normal(size=(7, 7)))
    places = np.array([p for _, a, b in part.segments.tolist() for p in range(a, b)])
    before, after = (
        torch.from_numpy(part.tokens[at].astype(np.int64)) for at in (places - 1, places)
    )
    expected = float(cross_entropy(table[before], after))
    for windows in (held_out.sliding_windows(part), held_out.cold_windows(part)):
        found = held_out.window_nats(lambda ids: table[ids], part, windows)
        assert found == pytest.approx(expected, abs=1e-9)


def test_the_transformer_sees_nothing_of_what_comes(module):
    transformer = module("common.transformer")
    model = transformer.Transformer(9).eval()
    ids = torch.randint(9, (2, 64))
    other = ids.clone()
    other[:, 40:] = (other[:, 40:] + 1) % 9
    with torch.no_grad():
        same = (model(ids) - model(other)).abs().amax((0, 2))
    assert same[:40].max() < 1e-5
    assert same[40:].min() > 1e-4


def test_work_a_symbol_is_counted_as_the_table_says(module):
    """LSTM 2x64 over 65 symbols: 3 * (2 layers * 2 * 4 * 64 * 128 + 2 * 64 * 65)."""
    assert module("train_speed").flops("lstm", 2, 64, 65) == 418_176


@pytest.mark.parametrize(
    "program",
    [
        "train_speed.py",
        "quality.py",
        "memory.py",
        "runs.py",
        "adapting.py",
        "blast_speed.py",
        "compare_sequences.py",
    ],
)
def test_every_benchmark_says_how_it_is_used(program):
    command = Command("--help", script=FOLDER / program)
    said, complaints = command.communicate()
    assert command.returncode == 0, complaints
    assert "--out" in said
