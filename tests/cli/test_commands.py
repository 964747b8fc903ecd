"""sample, evaluate, blast, music, models, domains, doctor."""

import gzip
import json
import re

import mido
import pytest
from Bio import SeqIO

from seqforge.domains.music.abc.parser import decode
from tests.cli.conftest import small
from tests.conftest import ROOT


def records(text):
    import io

    return {record.id: str(record.seq) for record in SeqIO.parse(io.StringIO(text), "fasta")}


def test_the_bundled_model_gives_fasta(seqforge):
    result = seqforge("sample", "fly", "-n", 3, "--length", 500)

    found = records(result.stdout)
    assert list(found) == ["sample_1", "sample_2", "sample_3"]
    assert all(len(bases) == 500 and set(bases) <= set("ACGT") for bases in found.values())
    assert "model=fly t=1.0 seed=0" in result.stdout


def test_the_bundled_models_are_small_and_say_how_good_they_are(seqforge):
    from seqforge.core.model.checkpoint import load_checkpoint
    from seqforge.runs.folder import bundled_models

    assert set(bundled_models()) == {"fly", "folk", "shakespeare"}
    for name, path in bundled_models().items():
        card = load_checkpoint(path).card
        assert path.stat().st_size < 2_000_000
        assert 1 < card.provenance.bits_per_symbol["valid"] < 2.1
        assert card.provenance.note
        assert seqforge("sample", name, "--length", 50).exit_code == 0


def test_the_same_seed_gives_the_same_samples_and_another_gives_others(seqforge):
    def drawn(seed, n):
        return records(seqforge("sample", "fly", "-n", n, "--seed", seed, "--length", 80).stdout)

    assert drawn(3, 2) == drawn(3, 2)
    assert drawn(3, 5)["sample_2"] == drawn(3, 2)["sample_2"]
    assert drawn(4, 1) != drawn(3, 1)


def test_a_sample_goes_on_from_a_prime_typed_or_in_a_file(seqforge, tmp_path):
    (tmp_path / "prime.fa").write_text(">p\nacgtacgt\n")

    typed = seqforge("sample", "fly", "--prime", "ACGTACGT", "--length", 20).stdout
    filed = seqforge("sample", "fly", "--prime-file", tmp_path / "prime.fa", "--length", 20).stdout

    assert typed == filed
    assert records(typed)["sample_1"].startswith("ACGTACGT")
    assert len(records(typed)["sample_1"]) == 28


def test_samples_go_to_a_file_on_request(seqforge, tmp_path):
    result = seqforge("sample", "fly", "-n", 4, "--length", 70, "--out", tmp_path / "x.fa")

    assert result.stdout.strip() == str(tmp_path / "x.fa")
    assert len(records((tmp_path / "x.fa").read_text())) == 4


def test_samples_as_json_carry_how_they_were_drawn(seqforge):
    (sample,) = json.loads(seqforge("sample", "fly", "-t", 0.5, "--length", 9, "--json").stdout)

    assert (sample["model"], sample["temperature"], len(sample["symbols"])) == ("fly", 0.5, 9)
    assert sample["mean_log_prob"] < 0


@pytest.mark.parametrize("temperature", ["0", "inf", "1e-9", "1e9"])
def test_any_temperature_can_be_drawn_at(seqforge, temperature):
    result = seqforge("sample", "fly", "-t", temperature, "--length", 400)
    (bases,) = records(result.stdout).values()

    assert len(bases) == 400
    if temperature in ("inf", "1e9"):
        assert all(60 < bases.count(base) < 140 for base in "ACGT")


@pytest.mark.parametrize("bases", [120_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_evaluate_scores_a_file_beside_baselines(seqforge, tmp_path, bases):
    """The score of the slice that ships equals what the card says of the like to 0.1 bits."""
    _, *lines = gzip.decompress((ROOT / "data" / "dm3-chr2R-slice.fa.gz").read_bytes()).splitlines()
    (tmp_path / "slice.fa.gz").write_bytes(gzip.compress(b">slice\n" + b"".join(lines)[:bases]))

    result = seqforge("evaluate", "fly", tmp_path / "slice.fa.gz", "--json")

    found = json.loads(result.stdout)
    assert found["symbols"] == bases
    assert 1.85 < found["bits_per_symbol"] < 1.95
    assert found["perplexity"] == pytest.approx(2 ** found["bits_per_symbol"], rel=1e-3)
    baselines = found["second_half"]["baselines"]
    assert (
        found["second_half"]["bits_per_symbol"] < baselines["order_k"] < baselines["uniform"] == 2
    )
    named, kinds = (found["second_half"][f"baseline_{what}"] for what in ("bits", "kinds"))
    assert named["witten-bell"] == baselines["order_k"]
    assert {name: named[name] for name in ("zlib", "bz2", "lzma")} == baselines["compressors"]
    assert kinds.keys() == named.keys()
    assert (kinds["witten-bell"], kinds["ppmd"]) == ("frozen", "adaptive")


def test_evaluate_names_a_symbol_that_the_model_lacks(seqforge, tmp_path, text_model):
    (tmp_path / "other.txt").write_text("the cat saw a ZEBRA. " * 50)

    result = seqforge("evaluate", text_model, tmp_path / "other.txt")

    assert result.exit_code == 1
    assert "'A' (U+0041)" in result.stderr


def test_blast_finds_where_a_sequence_comes_from(seqforge, tmp_path):
    library = ROOT / "data" / "dm3-chr2R-slice.fa.gz"
    bases = "".join(gzip.decompress(library.read_bytes()).decode().split("\n")[1:]).upper()
    (tmp_path / "q.fa").write_text(f">q1\n{bases[70_000:70_300]}\n")

    result = seqforge("blast", tmp_path / "q.fa", "--against", library, "--out", tmp_path / "hits")

    assert result.exit_code == 0, result.stderr
    row = next(
        line.split("\t")
        for line in (tmp_path / "hits" / "hits.tsv").read_text().splitlines()
        if not line.startswith("#")
    )
    assert row[2] == "100.000"
    assert row[8:10] == ["70001", "70300"], "1-based, both ends included"
    assert "1 of 1 samples have a hit with E <= 0.001" in result.stdout
    assert json.loads((tmp_path / "hits" / "hits.json").read_text())


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("genome", "run genome"), ("shakespeare", "run shakespeare"), ("smaple", "sample")],
)
def test_an_unknown_command_names_the_nearest(seqforge, typed, meant):
    result = seqforge(typed, "x.fa")
    assert result.exit_code == 2
    assert f"No such command '{typed}'. Did you mean '{meant}'?" in result.stderr


def test_blast_without_a_library_sends_nothing_and_searches_here(seqforge, tmp_path):
    (tmp_path / "q.fa").write_text(">q\nACGT\n")
    result = seqforge("blast", tmp_path / "q.fa")
    assert result.exit_code == 0
    assert "nothing was sent" in result.stderr
    assert "--against FASTA searches another" in result.stderr
    assert "0 of 1 samples have a hit" in result.stdout


def test_tunes_become_midi_that_three_programs_read(tunes_model):
    import pretty_midi
    from music21 import converter

    files = sorted((tunes_model / "samples").glob("*.mid"))
    assert [path.name for path in files[:3]] == ["t0.5-001.mid", "t0.5-002.mid", "t0.5-003.mid"]
    for path in files:
        assert mido.MidiFile(path).ticks_per_beat > 0
        assert pretty_midi.PrettyMIDI(str(path)).get_end_time() >= 0
        assert converter.parse(path, forceSource=True) is not None
        assert path.with_suffix(".abc").read_text().startswith("X:")


def test_music_goes_on_from_a_melody(seqforge, tunes_model, tmp_path):
    melody = ROOT / "data" / "melody.mid"

    result = seqforge("music", "--prime", melody, "-t", 1.2, "-n", 3, "--model", tunes_model,
                      "--formats", "mid", "--no-page", "--out", tmp_path / "out")  # fmt: skip

    assert result.exit_code == 0, result.stderr
    given = [m.note for m in mido.MidiFile(melody) if m.type == "note_on" and m.velocity]
    files = sorted((tmp_path / "out").glob("*.mid"))
    assert len(files) == 3
    for path in files:
        notes = [m.note for m in mido.MidiFile(path) if m.type == "note_on" and m.velocity]
        assert notes[: len(given)] == given


def test_music_alone_works_at_once(seqforge, tmp_path):
    result = seqforge("music", "-n", 4, "--seed", 2, "--out", tmp_path / "out",
                      "--formats", "abc", "--no-page")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    texts = [path.read_text() for path in sorted((tmp_path / "out").glob("*.abc"))]
    assert len(texts) == len(set(texts)) == 4
    decoded = [decode(text, 24) for text in texts]
    assert sum(one.bars for one in decoded) >= 32
    assert all(one.bars == one.full_bars for one in decoded)


def test_a_run_says_what_the_grammar_did(tunes_model):
    report = json.loads((tunes_model / "summary.json").read_text())["report"]
    assert report["full bars"]["samples"] in (1, None)  # none is drawn by some models
    assert 0 < report["probability that the grammar forbade"] < 1
    assert (report["full bars without the grammar"] or 0) < 1


def test_models_lists_ours_and_those_of_the_runs_here(seqforge, text_file):
    seqforge("train", "text", text_file, *small("runs/text-mine"))

    listed = seqforge("models")
    card = json.loads(seqforge("models", "show", "fly", "--json").stdout)

    heads, first = listed.stdout.splitlines()[:2]
    assert re.split("  +", heads) == ["model", "domain", "bits a symbol", "size", "date"]
    assert first.startswith("fly")
    assert "runs/text-mine" in listed.stdout
    assert card["provenance"]["bits_per_symbol"]["valid"] < 1.93
    assert card["config"]["data"]["split"] == "95/5/0"


def test_domains_lists_options_and_doctor_the_machine(seqforge):
    domains = seqforge("domains").stdout
    assert re.search("--strands +both, forward +default: both", domains)
    assert re.search("--formats +mid, abc, .* +default: mid,abc\n", domains)
    assert re.search("--separator +text +default: -\n", domains)
    assert re.search("--transpose +number +default: 0\n", domains)
    assert not re.search("None|False|True", domains)
    found = json.loads(seqforge("doctor", "--json").stdout)
    assert found["cores"] >= 1
    assert found["packages"]["torch"]
    assert set(found["programs"]) >= {"blastn", "abc2midi"}
