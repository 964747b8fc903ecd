"""Runs from files to a page: what they leave, and that they can be stopped at any moment."""

import html
import json
import os
import random
import signal
import subprocess
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from seqforge.core.model.checkpoint import load_checkpoint
from seqforge.reporting.summary import RunSummary
from tests.cli.conftest import remembering, small
from tests.conftest import missing
from tests.patience import PATIENCE, wait_for


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run on text, made once."""
    from typer.testing import CliRunner

    from seqforge.cli.main import app
    from tests.cli.conftest import TEXT

    folder = tmp_path_factory.mktemp("finished")
    (folder / "text.txt").write_text(TEXT)
    arguments = ["run", "text", "--input", folder / "text.txt", *remembering(folder / "run")]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return folder / "run", result


def test_a_run_leaves_what_the_contract_names(finished):
    run, result = finished

    assert {path.name for path in run.iterdir()} >= {
        "config.toml", "ingest.tsv", "model.safetensors", "resume.safetensors", "metrics.jsonl",
        "tensorboard", "samples", "summary.json", "report.html",
    }  # fmt: skip
    assert sorted(path.name for path in (run / "samples").iterdir()) == [
        "samples-t0.5.txt", "samples-t0.8.txt", "samples-t1.0.txt",
    ]  # fmt: skip
    assert "report: " in result.stdout
    assert "training ..." in result.stderr
    assert "training ..." not in result.stdout, "progress goes to stderr, results to stdout"


def test_the_summary_has_the_numbers_of_the_page(finished):
    summary = json.loads((finished[0] / "summary.json").read_text())

    assert RunSummary.model_validate(summary).model_dump(mode="json") == summary
    assert summary["domain"] == "text"
    assert summary["symbols"]["train"] > summary["symbols"]["valid"] > 0
    assert summary["parameters"] == 2259
    for part in ("valid", "test"):
        bits = summary["bits_per_symbol"][part]
        assert summary["perplexity"][part] == pytest.approx(2**bits, rel=1e-3)
    counted = summary["baselines"]
    assert counted["order_k"] == min(counted["orders"].values())
    assert counted["order_k"] < counted["uniform"]
    assert set(counted["compressors"]) == {"zlib", "bz2", "lzma"}
    named = summary["baseline_bits"]
    assert (named["witten-bell"], named["uniform"]) == (counted["order_k"], counted["uniform"])
    assert summary["baseline_kinds"].keys() == named.keys()
    assert named.keys() >= {"kneser-ney", "ppmd"}
    steps = summary["training"]["steps"]
    assert summary["dynamic_evaluation"] > 0
    assert 0 < summary["dynamic_evaluation_symbols"] <= steps // 2 * 32
    assert summary["speed"]["train_symbols_per_second"] > 0
    assert summary["speed"]["sample_symbols_per_second"] > 0
    assert summary["peak_memory_mb"] > 10
    assert summary["versions"]["torch"].startswith("2.")
    assert [row["temperature"] for row in summary["samples"]] == [0.5, 0.8, 1.0]
    assert "words known from training (share)" in summary["report"]


def test_the_page_opens_offline(finished):
    page = (finished[0] / "report.html").read_text()
    loads = []

    class Loads(HTMLParser):
        def handle_starttag(self, tag, attributes):
            loads.extend(
                value for name, value in attributes
                if name in ("src", "href", "xlink:href") and "://" in (value or "")
            )  # fmt: skip

    Loads().feed(page)
    assert loads == []
    command = json.loads((finished[0] / "summary.json").read_text())["command"]
    assert command in html.unescape(page)


def test_the_model_file_alone_is_enough_to_sample(finished, seqforge, tmp_path):
    lone = tmp_path / "copied.safetensors"
    lone.write_bytes((finished[0] / "model.safetensors").read_bytes())

    first, again = (seqforge("sample", lone, "--length", 80, "--seed", 4) for _ in range(2))

    assert first.exit_code == 0, first.stderr
    assert first.stdout == again.stdout
    assert len(first.stdout.rstrip("\n")) in (79, 80)
    card = load_checkpoint(lone).card
    summary = json.loads((finished[0] / "summary.json").read_text())
    assert card.provenance.bits_per_symbol == summary["bits_per_symbol"]


def test_a_finished_run_says_so_and_does_nothing(finished, seqforge):
    run, _ = finished
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}

    result = seqforge("run", "text", *remembering(run))

    assert result.exit_code == 0, result.stderr
    assert "this run is finished; nothing is left to do" in result.stderr
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*")} == before


def test_other_settings_or_other_input_on_the_same_folder_are_refused(finished, seqforge, tmp_path):
    run, _ = finished
    result = seqforge("run", "text", *remembering(run), "--seed", 9)
    assert result.exit_code == 1
    assert "training.seed: 0 and 9" in " ".join(result.stderr.split())


def test_the_config_of_a_run_is_a_recipe_that_repeats_it(finished, seqforge, tmp_path):
    run, _ = finished
    config = tomllib.loads((run / "config.toml").read_text())
    assert config["training"]["seed"] == 0
    assert config["made"]["sha256"]

    result = seqforge("run", run / "config.toml", "--out", tmp_path / "again")

    assert result.exit_code == 0, result.stderr
    ours, theirs = (load_checkpoint(r / "model.safetensors") for r in (run, tmp_path / "again"))
    assert all(ours.weights[k].tobytes() == theirs.weights[k].tobytes() for k in ours.weights)
    for sample in sorted((run / "samples").iterdir()):
        head = (tmp_path / "again" / "samples" / sample.name).read_text()
        assert head == sample.read_text()


def test_json_prints_one_document_and_nothing_else(seqforge, tmp_path, text_file):
    result = seqforge("run", "text", "--input", text_file, *small(tmp_path / "run"), "--json")

    assert json.loads(result.stdout)["domain"] == "text"
    assert result.stderr == ""


def long(out):
    """Options of a run that does not end by itself while a test looks on."""
    return small(out, "--budget", "1000000steps", "--set", "training.num_evaluations=10000")


def test_two_runs_on_one_folder_are_refused_by_a_lock(seqforge, start, tmp_path, text_file):
    first = start("run", "text", "--input", text_file, *long(tmp_path / "run"))
    wait_for(lambda: (tmp_path / "run" / "metrics.jsonl").exists() or first.poll() is not None)

    second = seqforge("run", "text", "--input", text_file, *long(tmp_path / "run"))

    assert second.exit_code == 1
    assert "another seqforge is working in it" in " ".join(second.stderr.split())
    assert first.poll() is None


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_stopped_from_outside_everything_is_saved(start, tmp_path, text_file, kind):
    process = start("run", "text", "--input", text_file, *long(tmp_path / "run"))
    wait_for(lambda: (tmp_path / "run" / "metrics.jsonl").exists() or process.poll() is not None)
    process.send_signal(kind)
    _, said = process.communicate(timeout=PATIENCE)

    assert process.returncode == 130, said
    assert f"go on with: seqforge run text --out {tmp_path / 'run'} --resume" in said
    assert "Traceback" not in said
    assert (tmp_path / "run" / "resume.safetensors").exists()


def test_killed_at_any_moment_it_goes_on_and_ends_with_the_same_bytes(
    seqforge, start, tmp_path, text_file
):
    """SIGKILL again and again, from the first file on; the end is that of an undisturbed run."""
    size = [*remembering("")[2:], "--budget", "120steps", "--set", "training.num_evaluations=40",
            "--dropout", "0.2", "--lanes", "2"]  # fmt: skip
    run = tmp_path / "run"
    kills = 0
    for looks in (0, 1, 2, 11, 25, 38):
        process = start("run", "text", "--input", text_file, "--out", run, *size)
        kept = run / ("metrics.jsonl" if looks else "ingest.tsv")
        wait_for(
            lambda p=process, n=looks, f=kept: (
                p.poll() is not None or (f.exists() and f.read_bytes().count(b"\n") >= n)
            )
        )
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert kills >= 3

    last = seqforge("run", "text", "--input", text_file, "--out", run, *size, "--resume")
    whole = seqforge("run", "text", "--input", text_file, "--out", tmp_path / "whole", *size)

    assert last.exit_code == whole.exit_code == 0, last.stderr + whole.stderr
    ours, theirs = (load_checkpoint(f / "model.safetensors") for f in (run, tmp_path / "whole"))
    assert all(ours.weights[k].tobytes() == theirs.weights[k].tobytes() for k in ours.weights)
    steps = [
        [json.loads(line)["step"] for line in (f / "metrics.jsonl").read_text().splitlines()]
        for f in (run, tmp_path / "whole")
    ]
    assert steps[0] == steps[1] == list(range(3, 121, 3))


@pytest.mark.slow
def test_twenty_kills_at_random_moments_leave_no_trace(seqforge, start, tmp_path):
    """Both strands, two lanes, dropout of values and weights, an average, a schedule; in fp32."""
    size = ["--budget", "30000steps", "--hidden-size", "48", "--num-layers", "2", "--seq-len", "64",
            "--batch-size", "16", "--precision", "fp32", "--lanes", "2", "--dropout", "0.2",
            "--set", "model.variational=true", "--set", "model.weight_drop=0.1",
            "--set", "training.ema_share=0.1", "--set", "training.num_evaluations=150"]  # fmt: skip
    run, moments, kills = tmp_path / "run", random.Random(0), 0
    while kills < 20:
        process = start("train", "genome", "--out", run, *size)
        try:
            process.wait(moments.uniform(0.5, 7))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        else:
            pytest.fail(f"it had come to its end after {kills} kills: {process.returncode}")

    last = seqforge("train", "genome", "--out", run, *size, "--resume")
    whole = seqforge("train", "genome", "--out", tmp_path / "whole", *size)

    assert last.exit_code == whole.exit_code == 0, last.stderr + whole.stderr
    ours, theirs = (load_checkpoint(f / "model.safetensors") for f in (run, tmp_path / "whole"))
    assert all(ours.weights[k].tobytes() == theirs.weights[k].tobytes() for k in ours.weights)


def test_the_time_of_a_run_adds_up_over_resumes(seqforge, start, tmp_path, text_file):
    timed = [*small(tmp_path / "run")[:3], "2s", *small(tmp_path / "run")[4:]]
    process = start("run", "text", "--input", text_file, *timed)
    wait_for(lambda: (tmp_path / "run" / "resume.safetensors").exists())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)

    result = seqforge("run", "text", "--input", text_file, *timed)

    assert result.exit_code == 0, result.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["training"]["seconds"] >= 2
    assert summary["wall_seconds"] >= summary["training"]["seconds"] - 0.1


def test_resume_alone_takes_the_newest_unfinished_run(seqforge, start, text_file):
    process = start("run", "text", "--input", text_file, *long("runs/text-1"))
    wait_for(lambda: os.path.exists("runs/text-1/resume.safetensors") or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)

    metrics = Path("runs/text-1/metrics.jsonl")
    before = len(metrics.read_text())
    again = start("run", "text", "--resume")
    wait_for(lambda: len(metrics.read_text()) > before or again.poll() is not None)
    again.send_signal(signal.SIGINT)
    _, said = again.communicate(timeout=PATIENCE)

    assert "going on with runs/text-1" in said
    assert "going on from step" in said


def test_resume_with_nothing_saved_starts_afresh(seqforge, text_file):
    result = seqforge("train", "text", text_file, *small("x")[2:], "--resume")

    assert result.exit_code == 0, result.stderr
    assert "no unfinished run of text was found; starting afresh" in result.stderr
    assert len(os.listdir("runs")) == 1


def test_a_full_disk_is_one_sentence_and_the_run_goes_on_later(seqforge, tmp_path, text_file):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        missing("the right to mount a small file system")
    try:
        full = seqforge("run", "text", "--input", text_file, *small(disk / "run"))
        assert full.exit_code == 1
        assert "the disk is full; free some space and go on with --resume" in " ".join(
            full.stderr.split()
        )
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        again = seqforge("run", "text", "--input", text_file, *small(disk / "run"), "--resume")
        assert again.exit_code == 0, again.stderr
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_train_leaves_the_same_folder_without_samples_and_page(seqforge, tmp_path, text_file):
    result = seqforge("train", "text", text_file, *small(tmp_path / "run"))

    assert result.exit_code == 0, result.stderr
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"model.safetensors", "summary.json", "metrics.jsonl", "ingest.tsv"} <= names
    assert not names & {"samples", "similarity", "report.html"}


def test_standard_input_is_learnt_from_too(start, tmp_path):
    order = ["run", "text", "--input", "-", *small(tmp_path / "run")]
    process = start(*order, stdin="to be or not to be " * 500)

    assert process.wait(PATIENCE) == 0, process.stderr.read()
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["symbols"]["train"] == 8550


def test_a_file_given_twice_is_read_once(seqforge, tmp_path, text_file):
    (tmp_path / "copy.txt").write_bytes(text_file.read_bytes())

    result = seqforge(
        "train", "text", tmp_path, text_file, text_file, *small(tmp_path / "x" / "run")
    )

    assert result.exit_code == 0, result.stderr
    table = (tmp_path / "x" / "run" / "ingest.tsv").read_text().splitlines()
    assert [row.split("\t")[1] for row in table[1:]] == ["kept", "refused"]
    assert "has the same content as" in table[2]


def test_a_run_goes_on_where_training_alone_ended(seqforge, tmp_path, text_file):
    trained = seqforge("train", "text", text_file, *small(tmp_path / "run"))
    model = (tmp_path / "run" / "model.safetensors").read_bytes()

    result = seqforge("run", "text", text_file, *small(tmp_path / "run"))

    assert trained.exit_code == result.exit_code == 0, result.stderr
    assert (tmp_path / "run" / "report.html").exists()
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == model


def test_what_failed_at_reading_can_be_put_right_in_the_same_folder(seqforge, tmp_path, text_file):
    (tmp_path / "little.txt").write_text("too little")
    first = seqforge("run", "text", "--input", tmp_path / "little.txt", *small(tmp_path / "run"))
    assert first.exit_code == 1

    again = seqforge("run", "text", "--input", text_file, *small(tmp_path / "run"))

    assert again.exit_code == 0, again.stderr


def test_what_is_not_done_yet_may_still_be_told_otherwise(seqforge, tmp_path):
    """A library that cannot be read stops a run after training; another one may be named."""
    (tmp_path / "x.fa").write_text(">x\n" + "ACGTTGCAAC" * 400)
    (tmp_path / "bad.fa").write_text("no\n")
    begin = ["run", "genome", tmp_path / "x.fa", *small(tmp_path / "run"), "--against"]

    first, again = seqforge(*begin, tmp_path / "bad.fa"), seqforge(*begin, tmp_path / "x.fa")

    assert first.exit_code == 1
    assert "bad.fa: is neither FASTA nor GenBank" in first.stderr
    assert again.exit_code == 0, again.stderr
    assert "training ..." not in again.stderr
    missing_library = seqforge(*begin[:-1], "--against", tmp_path / "none.fa")
    assert "other settings" in " ".join(missing_library.stderr.split())


def test_a_finished_run_is_not_mistaken_for_one_of_other_input_or_another_pipeline(
    finished, seqforge, tmp_path
):
    run, _ = finished
    (tmp_path / "other.txt").write_text("other text " * 900)

    other = seqforge("run", "text", "--input", tmp_path / "other.txt", *remembering(run))
    genome = seqforge("run", "genome", *remembering(run))

    assert "started on other input" in " ".join(other.stderr.split())
    assert "holds a run of text" in " ".join(genome.stderr.split())
    assert other.exit_code == genome.exit_code == 1


@pytest.mark.parametrize("separator", [r"\n", "@"])
def test_records_between_separators_end_in_a_page(seqforge, tmp_path, separator):
    lines = [f"headline number {n} of the day" for n in range(600)]
    text = separator.replace(r"\n", "\n").join(lines)
    (tmp_path / "lines.txt").write_text(text)

    result = seqforge("run", "text", tmp_path / "lines.txt", "--separator", separator,
                      *small(tmp_path / "run"))  # fmt: skip

    assert result.exit_code == 0, result.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["records"] == {"train": 540, "valid": 30, "test": 30}


def test_stopped_before_anything_was_begun_no_other_run_is_named(start, text_file):
    first = start("run", "text", "--input", text_file, *long("runs/text-1"))
    wait_for(lambda: os.path.exists("runs/text-1/resume.safetensors") or first.poll() is not None)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=PATIENCE)

    second = start("run", "text", "--input", "-", stdin=None)
    wait_for(lambda: len(os.listdir("runs")) == 2 or second.poll() is not None)
    second.send_signal(signal.SIGINT)
    _, said = second.communicate(timeout=PATIENCE)

    assert second.returncode == 130
    assert "nothing was lost" in said
    assert "text-1" not in said
    assert os.listdir("runs") == ["text-1"]
