"""Bad input: one sentence that names file, place and remedy; exit code 1; nothing lost."""

import gzip
import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from seqforge.core.model.checkpoint import read_arrays, write_arrays
from seqforge.runs.recipes import experiment_names, recipe_names
from tests.cli.conftest import small

BAD = {
    "an empty text": ("text", "x.txt", b"", r"x\.txt: is empty; give a file with text"),
    "a binary given as text": (
        "text", "x.txt", b"ab\0cd", r"x\.txt: holds a zero byte at offset 2.*--bytes",
    ),
    "text that is not UTF-8": (
        "text", "x.txt", b"caf\xe9 ol\xe9" * 99,
        r"x\.txt: byte 0xe9 at offset 3 is not UTF-8.*--bytes",
    ),
    "half a .gz": ("text", "x.txt.gz", gzip.compress(b"words " * 999)[:40], r"not a whole \.gz"),
    "a PDF given as text": ("text", "x.txt", b"%PDF-1.7\n", r"x\.txt: is a PDF; save its text"),
    "an empty FASTA": ("genome", "x.fa", b"", r"x\.fa: is empty; give a FASTA file"),
    "headers alone": ("genome", "x.fa", b">a\n>b\n", r"x\.fa: holds no bases to learn from"),
    "N alone": ("genome", "x.fa", b">a\nNNNN\n", r"x\.fa: holds no bases to learn from"),
    "no FASTA at all": (
        "genome", "x.fa", b"hello there",
        r"neither FASTA nor GenBank: it begins with 'hello there'",
    ),
    "a MIDI given as FASTA": ("genome", "x.fa", b"MThd\0\0\0\6\0\1", r"x\.fa: is a MIDI file"),
    "protein given as a genome": (
        "genome", "x.fa", b">p\nACDEF\nMKLV\n", r"x\.fa:2: 'E' is not a nucleotide.*protein",
    ),
    "protein of nucleotide letters": (
        "genome", "x.fa", b">p\n" + b"MSTNGKVHDRWY" * 50, r"most letters are not.*protein",
    ),
    "an input too small": (
        "genome", "x.fa", b">a\n" + b"ACGT" * 100,
        r"400 symbols, which leaves 20 for valid.*give 404 symbols or more",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("domain", "name", "content", "message"), BAD.values(), ids=BAD)
def test_a_file_that_cannot_be_used(seqforge, tmp_path, domain, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)

    result = seqforge("run", domain, "--input", path, *small(tmp_path / "run"))

    said = " ".join(result.stderr.split())
    assert result.exit_code == 1
    assert result.stdout == ""
    (sentence,) = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert __import__("re").search(message, sentence), said
    assert path.read_bytes() == content


def test_a_refused_file_is_listed_and_the_run_goes_on_with_the_others(
    seqforge, tmp_path, text_file
):
    (tmp_path / "bad.txt").write_bytes(b"ab\0")

    result = seqforge("train", "text", tmp_path, *small(tmp_path / "out" / "run"))

    assert result.exit_code == 0, result.stderr
    assert "read 1 of 2 files" in result.stderr
    table = (tmp_path / "out" / "run" / "ingest.tsv").read_text().splitlines()
    assert table[0].split("\t") == ["file", "status", "reason", "records", "symbols"]
    assert [row.split("\t")[1] for row in table[1:]] == ["refused", "kept"]
    assert "zero byte at offset 2" in table[1]


def test_when_every_file_is_refused_the_table_is_still_written(seqforge, tmp_path):
    for name in ("a.fa", "b.fa"):
        (tmp_path / name).write_text(f"no {name}\n")

    result = seqforge("run", "genome", "--fasta", tmp_path, *small(tmp_path / "run"))

    assert result.exit_code == 1
    assert "and 1 more files, each listed in ingest.tsv" in result.stderr
    assert (tmp_path / "run" / "ingest.tsv").read_text().count("refused") == 2


def test_a_folder_without_usable_files(seqforge, tmp_path):
    (tmp_path / "tunes").mkdir()
    (tmp_path / "tunes" / "x.jpg").touch()

    result = seqforge("run", "genome", "--fasta", tmp_path / "tunes", *small(tmp_path / "run"))

    assert result.exit_code == 1
    assert "tunes: no file for genome in this folder (.fa, .fasta" in result.stderr
    assert not (tmp_path / "run").exists(), "what fails at once leaves nothing behind"


def test_an_output_folder_that_is_a_file(seqforge, tmp_path, text_file):
    result = seqforge("run", "text", "--input", text_file, *small(text_file))

    assert result.exit_code == 1
    assert (
        "text.txt: is a file, and a folder is needed there; choose another --out" in result.stderr
    )


def test_an_output_folder_full_of_other_things(seqforge, tmp_path, text_file):
    result = seqforge("run", "text", "--input", text_file, *small(tmp_path))

    assert result.exit_code == 1
    assert "holds other files and no run" in result.stderr


def test_rna_is_read_as_dna_and_that_is_said(seqforge, tmp_path):
    (tmp_path / "rna.fa").write_text(">r\n" + "ACGU" * 1000)

    result = seqforge("train", "genome", tmp_path / "rna.fa", *small(tmp_path / "run"))

    assert result.exit_code == 0, result.stderr
    assert "1000 U read as T" in result.stderr
    assert "1000 U read as T" in (tmp_path / "run" / "ingest.tsv").read_text()


def damage(path, how):
    whole = path.read_bytes()
    if how == "cut short":
        path.write_bytes(whole[:-100])
    elif how == "tampered with":
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    elif how == "of another format":
        path.write_bytes(whole.replace(b'\\"format\\":1', b'\\"format\\":7'))
    elif how == "foreign":
        save_file({"w": np.zeros(3)}, path)
    elif how == "empty":
        path.write_bytes(b"")


@pytest.mark.parametrize(
    ("how", "message"),
    [("cut short", "is not a whole .safetensors file"), ("tampered with", "was changed after"),
     ("of another format", "changed after|format 7"), ("foreign", "not written by seqforge"),
     ("empty", "is not a whole")],
)  # fmt: skip
def test_a_model_file_that_cannot_be_used(seqforge, tmp_path, text_model, how, message):
    model = shutil.copyfile(text_model / "model.safetensors", tmp_path / "model.safetensors")
    damage(model, how)

    for command in (["sample"], ["models", "show"]):
        result = seqforge(*command, model)
        assert result.exit_code == 1
        assert __import__("re").search(message, " ".join(result.stderr.split()))


def test_a_prime_with_an_unknown_symbol_names_it(seqforge, text_model):
    result = seqforge("sample", text_model, "--prime", "the Zebra")

    assert result.exit_code == 1
    assert "the prime: 'Z' (U+005A) at position 5 is not a symbol of this model" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("sample", "x", "-t", "-1"), ("sample", "x", "-n", "0"), ("sample", "x", "--top-p", "2"),
     ("sample", "x", "--length", "5", "--max-length", "5"), ("sample",), ("run",), ("nonsense",),
     ("run", "text", "--colour", "red"), ("sample", "x", "-t", "nan")],
)  # fmt: skip
def test_wrong_usage_exits_with_two(seqforge, arguments):
    assert seqforge(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "training.seq_length=3"], "training.seq_length: there is no such setting"),
        (["--set", "training"], "write key.path=value"),
        (["--split", "90/5"], "data.split: a split is train/valid/test"),
        (["--budget", "soon"], "training.budget: a budget is 90s, 10m"),
        (["--learning-rate", "0"], "training.learning_rate: Input should be greater than 0"),
        (["--separator", "@@@"], "the separator '@@@' does not occur in it"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(seqforge, tmp_path, text_file, options, message):
    result = seqforge("run", "text", "--input", text_file, "--out", tmp_path / "run", *options)

    assert result.exit_code == 1
    assert message in " ".join(result.stderr.split())


def test_an_unknown_pipeline_or_model_lists_those_that_there_are(seqforge):
    said = " ".join(seqforge("run", "nonsense").stderr.split())
    listed = said.partition("there are ")[2].split(", or give")[0].split(", ")
    assert listed == sorted({*recipe_names(), *experiment_names()})
    assert {"text", "counting"} <= set(listed)
    assert "is not a bundled model" in " ".join(seqforge("sample", "nonsense").stderr.split())


def test_a_folder_that_was_there_before_is_never_removed(seqforge, tmp_path):
    (tmp_path / "mine").mkdir()
    seqforge("run", "text", "--input", tmp_path / "missing.txt", *small(tmp_path / "mine"))
    assert (tmp_path / "mine").is_dir()


def test_files_of_other_kinds_in_a_folder_are_mentioned(seqforge, tmp_path, text_file):
    (tmp_path / "notes.rst").touch()
    result = seqforge("train", "text", tmp_path, *small(tmp_path / "x" / "run"))
    assert "1 files of other kinds left out (.rst)" in result.stderr


@pytest.mark.parametrize(
    "setting",
    ["sampling.temperatures=[]", "sampling.temperatures=[Infinity]", "model.tied=true",
     "model.attention=-1", "model.hidden_size=1000000", "training.lanes=0", 'training.lanes="two"',
     "training.seed=18446744073709551616"],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused_before_anything_is_done(
    seqforge, tmp_path, text_file, setting
):
    result = seqforge("run", "text", text_file, "--out", tmp_path / "run", "--embedding-size", 8,
                      "--set", setting)  # fmt: skip

    assert result.exit_code == 1
    assert setting.split("=")[0].split(".")[0] in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("typed", [True, False])
def test_a_prime_with_n_is_refused_or_goes_without(seqforge, tmp_path, typed):
    path = tmp_path / "x.fa"
    path.write_text(">a\nacgn\nacg\n")
    prime = ("--prime", "acgn acg") if typed else ("--prime-file", path)
    refused = seqforge("sample", "fly", *prime, "--length", 5)
    skipped = seqforge("sample", "fly", *prime, "--length", 5, "--unknown", "skip", "--json")

    assert refused.exit_code == 1
    said = " ".join(refused.stderr.split())
    assert "'N' (U+004E) at position 4 is not a symbol of this model, which knows ACGT" in said
    assert "with --unknown skip" in said
    assert json.loads(skipped.stdout)[0]["symbols"].startswith("ACGACG")
    assert "left out: 'N' (U+004E) once" in skipped.stderr


def test_protein_as_a_prime_is_refused_or_goes_without(seqforge):
    prime = ("sample", "fly", "--prime", "ACGZACG!", "--length", 5)
    refused, skipped = seqforge(*prime), seqforge(*prime, "--unknown", "skip", "--json")

    assert "'Z' (U+005A) at position 4 is not a symbol" in " ".join(refused.stderr.split())
    assert json.loads(skipped.stdout)[0]["symbols"].startswith("ACGACG")


def test_a_prime_file_without_sequence_is_refused(seqforge, tmp_path):
    for name, content in (("x.gb", ""), ("x.fa", ">a\n")):
        (tmp_path / name).write_text(content)
        result = seqforge("sample", "fly", "--prime-file", tmp_path / name)
        assert result.exit_code == 1
        assert "holds no bases" in result.stderr or "is empty" in result.stderr


def test_a_cache_that_cannot_be_written_names_the_variable(
    seqforge, tmp_path, text_file, monkeypatch
):
    monkeypatch.setenv("SEQFORGE_CACHE", "/proc/nothing")
    result = seqforge("run", "text", text_file, *small(tmp_path / "run"))
    assert result.exit_code == 1
    assert "set SEQFORGE_CACHE" in result.stderr
    assert seqforge("doctor").exit_code == 0


def test_a_small_model_that_asks_for_a_large_network_is_refused_by_every_command(
    seqforge, tmp_path, toy, text_file
):
    """Its digest is right: that is a plain hash, which anyone can write."""
    path = toy("text")
    header, arrays = read_arrays(path)
    header["config"]["model"] |= {"hidden_size": 16384, "num_layers": 100}
    write_arrays(path, header, arrays)

    for command in (
        ("evaluate", path, text_file), ("sample", path), ("models", "show", path),
        ("train", "text", text_file, "--init", path, "--out", tmp_path / "run"),
    ):  # fmt: skip
        result = seqforge(*command)
        assert result.exit_code == 1
        assert "its weights do not fit its settings: embedding.weight has the shape" in " ".join(
            result.stderr.split()
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "line", ["training.seed = 0x" + "f" * 6000, "inputs = 0x" + "f" * 6000, "x = " + "[" * 900],
    ids=["a setting", "inputs", "nested"],
)  # fmt: skip
def test_a_recipe_of_monstrous_numbers_is_one_short_sentence(seqforge, tmp_path, line):
    path = tmp_path / "x.toml"
    path.write_text(f'domain = "text"\n{line}\n')
    result = seqforge("run", path)
    assert result.exit_code == 1
    assert len(result.stderr) < 1000
