"""``seqforge music``: from a melody to files that other programs read, and a page."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

import seqforge as seqforge_module
from seqforge.core.config import RunConfig
from seqforge.core.memory.memory_file import save_memory
from seqforge.core.model.checkpoint import load_checkpoint, save_checkpoint
from seqforge.domains.music import event_codec
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.keys import piece_to_c
from seqforge.domains.music.midi.midi_file import midi_bytes, read_midi
from seqforge.domains.music.notes import DRUMS, Note, Piece, normalised
from tests.conftest import ROOT
from tests.core.sampling.tiny import checkpoint

MELODY, TUNES = ROOT / "data" / "melody.mid", ROOT / "data" / "tunes.abc"
GIVEN, _ = read_midi(MELODY, 24)
ABC = "\n\"#'()+,-./0123456789:<=>ABCDEFGKLM[]^_abcdefgmz| "


@pytest.fixture
def model(tmp_path):
    """A model with random weights that knows the symbols of a code."""

    def save(code="abc", symbols=None, **options):
        if symbols is None and code == "abc":
            symbols = tuple(sorted(ABC))
        elif symbols is None:
            known = set(event_codec.encode(GIVEN)) | set(event_codec.encode(piece_to_c(GIVEN)))
            symbols = tuple(sorted(known))
        made = checkpoint(seed=3, scale=1.0, end=2.0, symbols=symbols)
        config = RunConfig(
            domain="music", domain_options={"code": code, **options}, model=made.card.config.model
        )
        path = tmp_path / f"{code}.safetensors"
        save_checkpoint(path, made.card.model_copy(update={"config": config}), made.weights)
        return path

    return save


def notes_of(path):
    """(pitch, start) of all notes, in 24ths of a quarter."""
    return [(note.pitch, note.start) for note in read_midi(path, 24)[0].notes]


def metas(path):
    """What a MIDI file says besides notes: kind, and its values."""
    return [
        {name: value for name, value in vars(message).items() if name != "time"}
        for message in mido.MidiFile(path).tracks[0]
        if message.type in ("time_signature", "key_signature", "set_tempo")
    ]


@pytest.mark.filterwarnings("ignore")  # of music21 about its own guesses
def test_all_of_it(seqforge, model, tmp_path):
    import pretty_midi
    from music21 import converter

    out = tmp_path / "out"
    result = seqforge(
        "music",
        "--prime",
        MELODY,
        "-t",
        1.2,
        "-n",
        2,
        "--bars",
        4,
        "--out",
        out,
        "--model",
        model(),
        "--formats",
        "mid,abc,musicxml,svg,png,wav,ogg",
    )

    assert result.exit_code == 0, result.stderr
    kinds = ("abc", "mid", "musicxml", "ogg", "png", "svg", "wav")
    names = sorted(f"melody-{number:03}.{kind}" for number in (1, 2) for kind in kinds)
    assert sorted(os.listdir(out)) == sorted([*names, "melody.html"])
    assert sorted(result.stdout.split()) == sorted(str(path) for path in out.iterdir())
    given = [(note.pitch, note.start) for note in GIVEN.notes]
    for number in ("001", "002"):
        stem = out / f"melody-{number}"
        midi = stem.with_suffix(".mid")
        assert notes_of(midi)[: len(given)] == given
        assert metas(midi)[:4] == metas(MELODY)[:4], "pick-up, metre, key and tempo"
        played = pretty_midi.PrettyMIDI(str(midi))
        assert [n.pitch for n in played.instruments[0].notes[:38]] == [p for p, _ in given]
        for kind in (".mid", ".musicxml"):
            score = converter.parse(stem.with_suffix(kind), forceSource=True)
            pitches = [note.pitch.midi for note in score.flatten().notes if not note.isChord]
            assert pitches[:10] == [pitch for pitch, _ in given[:10]]
        music = stem.with_suffix(".abc").read_text().split("\nK:Em\n")[1]
        assert re.sub(r"\n|\[M:[^]]*\]", "", music).startswith("E|G2A B>cB|A2F")
        assert stem.with_suffix(".svg").read_text().startswith("<svg")
        assert stem.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
        (wav, rate), (ogg, _) = (soundfile.read(stem.with_suffix(f".{k}")) for k in ("wav", "ogg"))
        assert len(wav) == len(ogg)
        rings = len(wav) / rate - played.get_end_time()  # a SoundFont's instruments ring on
        assert min(abs(rings), abs(rings - 1)) < 0.01
        assert np.corrcoef(wav, ogg)[0, 1] > 0.95


def test_the_same_command_leaves_the_same_bytes(seqforge, model, tmp_path):
    path, kept = model(), []
    for out in (tmp_path / "a", tmp_path / "b"):
        result = seqforge("music", "--prime", MELODY, "--bars", 1, "--model", path, "--out", out)
        assert result.exit_code == 0, result.stderr
        kept.append({file.name: file.read_bytes() for file in out.iterdir()})
    assert len(kept[0]) == 7
    assert kept[0] == kept[1]


def draw(seqforge, model, tmp_path, *options):
    """Notes of one sample that goes on from the melody."""
    result = seqforge("music", "--prime", MELODY, "--bars", 2, "--model", model, "--out", tmp_path,
                      "--formats", "mid", "--no-page", *options)  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert sorted(result.stdout.split()) == [str(tmp_path / "melody.mid")]
    return read_midi(tmp_path / "melody.mid", 24)[0]


@pytest.mark.parametrize("code", ["abc", "events"])
def test_a_model_that_knows_one_key_goes_on_in_the_melody_s(seqforge, model, tmp_path, code):
    path = model(code, key="C")
    piece = draw(seqforge, path, tmp_path)
    given = {(note.pitch, note.start) for note in GIVEN.notes}
    assert given <= {(note.pitch, note.start) for note in piece.notes}
    assert piece.key_signatures[0] == GIVEN.key_signatures[0]


@pytest.mark.parametrize("key", ["as written", "C"])
@pytest.mark.parametrize("code", ["abc", "events"])
def test_a_continuation_is_held_in_the_key_of_what_is_given(seqforge, model, code, key):
    """E minor: the toy, left to itself, leaves it; the melody, which may, has C and D sharps."""
    path = model(code, key=key)
    strange = []
    for options in ((), ("--keep-key",)):
        result = seqforge("music", "--prime", MELODY, "-n", 20, "--model", path,
                          "--formats", "mid,abc", "--no-page", *options)  # fmt: skip
        assert result.exit_code == 0, result.stderr
        found = 0
        for file in Path("music").glob(f"*.{'abc' if code == 'abc' else 'mid'}"):
            if code == "abc":  # a repeat would bring back what was given
                found += len(re.findall(r"[\^_=]", file.read_text().split("E3 E2", 1)[1]))
            else:
                last = GIVEN.notes[-1].start
                found += sum(
                    pitch % 12 not in {4, 6, 7, 9, 11, 0, 2, 1, 3}
                    for pitch, start in notes_of(file)
                    if start > last
                )
        strange.append(found)
    assert strange[0] > 0
    assert strange[1] == 0


def test_it_is_put_out_higher_or_in_another_key(seqforge, model, tmp_path):
    path = model()
    plain = [note.pitch for note in draw(seqforge, path, tmp_path).notes]
    for asked, by, sharps in (("3", 3, -2), ("-2", -2, -1), ("F#m", 2, 3), ("D", -2, -1)):
        piece = draw(seqforge, path, tmp_path, "--transpose", asked)
        assert [note.pitch for note in piece.notes] == [pitch + by for pitch in plain]
        assert piece.key_signatures[0][1:] == (sharps, True)


def test_chords_are_reduced_for_tunes_and_kept_for_events(seqforge, model, tmp_path):
    chords = tuple(Note(pitch, 80, 24 * i, 24) for i in range(8) for pitch in (57 + i, 64 + i))
    Path("chords.mid").write_bytes(midi_bytes(normalised(Piece(chords))))
    options = ("--prime", "chords.mid", "--bars", 1, "--unknown", "skip", "--formats", "mid",
               "--no-page")  # fmt: skip

    tune = seqforge("music", *options, "--model", model())
    assert "several notes at once reduced to the melody, 8 of 16 notes" in tune.stderr
    assert [p for p, _ in notes_of(Path("music/chords.mid"))[:8]] == list(range(64, 72))
    whole = seqforge("music", *options, "--model", model("events"))
    assert "reduced" not in whole.stderr
    assert "left out, since the model has none like it: tempo, time" in whole.stderr


def test_a_model_that_knows_no_pickups_goes_on_from_one(seqforge, tmp_path, model):
    """Also by ``sample``, which is given the same file."""
    even = Path("even.mid")
    even.write_bytes(midi_bytes(replace(GIVEN, pickup=0)))
    symbols = tuple(sorted(set(event_codec.encode(read_midi(even, 24)[0]))))
    assert event_codec.PICKUP not in symbols
    path = model("events", symbols=symbols)
    said = "its pick-up begins a whole bar with rests, since the model knows no pick-ups"
    music = seqforge("music", "--prime", MELODY, "--model", path, "--bars", 2, "--formats", "mid",
                     "--no-page")  # fmt: skip
    sample = seqforge("sample", path, "--prime-file", MELODY, "--max-length", 9, "--out", "x.mid")
    for result, file in ((music, "music/melody.mid"), (sample, "x.mid")):
        assert result.exit_code == 0, result.stderr
        assert f"melody.mid: {said}" in result.stderr.replace("\n", " ")
        given = [(note.pitch, note.start + 60) for note in GIVEN.notes]
        assert notes_of(Path(file))[: len(given)] == given


def test_percussion_alone_is_nothing_to_a_model_that_has_none(seqforge, model):
    beat = tuple(Note(36, 80, 24 * n, 24, DRUMS) for n in range(8))
    Path("beat.mid").write_bytes(midi_bytes(normalised(Piece(beat))))
    path = model("events")
    for command in (
        ("music", "--prime", "beat.mid", "--model", path),
        ("sample", path, "--prime-file", "beat.mid"),
    ):
        result = seqforge(*command)
        assert result.exit_code == 1
        said = "beat.mid: holds percussion alone, and the model has none; give it a melody"
        assert said in " ".join(result.stderr.split())


def test_what_is_given_is_never_written_over(seqforge, model, tmp_path):
    (tmp_path / "x.mid").write_bytes(MELODY.read_bytes())
    result = seqforge("music", "--prime", tmp_path / "x.mid", "--model", model(), "--bars", 1,
                      "--formats", "mid", "--out", tmp_path)  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "x.mid").read_bytes() == MELODY.read_bytes()
    assert sorted(file.name for file in tmp_path.glob("x*")) == [
        "x-continued.html", "x-continued.mid", "x.mid"
    ]  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="file names there are Unicode")
def test_a_name_that_is_no_text_is_linked_by_its_bytes(seqforge, model, tmp_path):
    name = os.fsdecode(b"m\xfc.mid")
    (tmp_path / name).write_bytes(MELODY.read_bytes())
    result = seqforge("music", "--prime", tmp_path / name, "--model", model(), "--bars", 1,
                      "--formats", "mid,svg", "--out", tmp_path / "out")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    page = next((tmp_path / "out").glob("*.html")).read_text("utf-8")
    assert 'href="m%FC.mid"' in page
    assert (tmp_path / "out" / name).exists()


def test_one_document_says_it_all(seqforge, model, tmp_path):
    result = seqforge("music", "--prime", TUNES, "-n", 2, "--bars", 3, "--model", model(), "--json",
                      "--out", tmp_path / "o", "--formats", "mid,abc,svg")  # fmt: skip
    assert (result.exit_code, result.stderr) == (0, "")
    said = json.loads(result.stdout)
    files = {Path(file) for sample in said["samples"] for file in sample["files"]}
    assert files | {Path(said["page"])} == set((tmp_path / "o").iterdir())
    assert len(files) == 6
    assert [sample["new_bars"] for sample in said["samples"]] == [3, 3]
    assert [len(notes_of(tmp_path / "o" / f"tunes-00{n}.mid")) for n in (1, 2)] == [
        sample["notes"] for sample in said["samples"]
    ]
    assert said["prime"]["notes"] == ["the first of its tunes, Greensleeves, is gone on from"]
    assert said["samples"][1]["title"] == "after Greensleeves, 2"
    assert "\nT:after Greensleeves, 2\n" in (tmp_path / "o" / "tunes-002.abc").read_text()


def test_how_much_is_said(seqforge, model, tmp_path):
    common = ("music", "--prime", TUNES, "--bars", 1, "--model", model(), "--formats", "mid",
              "--no-page", "--out", tmp_path)  # fmt: skip
    quiet, plain, more = (seqforge(*common, *option) for option in (["--quiet"], [], ["-v"]))
    assert quiet.stderr == ""
    assert quiet.stdout == plain.stdout == f"{tmp_path / 'tunes.mid'}\n"
    assert "the first of its tunes" in plain.stderr
    assert re.search(r"sample 1: \d+ notes, 1 new bars?, in ", more.stderr)


def test_new_tunes_need_no_prime(seqforge, model, tmp_path):
    result = seqforge("music", "--model", model(), "--out", tmp_path / "new", "--formats", "abc")
    assert result.exit_code == 0, result.stderr
    assert sorted(os.listdir(tmp_path / "new")) == ["tune.abc", "tune.html"]


def remember(path):
    """Keep a memory of the tunes beside a model."""
    model, domain = load_checkpoint(path), MusicDomain()
    vocabulary = model.card.vocabulary
    known = "".join(symbol for symbol in TUNES.read_text() if symbol in vocabulary.symbols)
    ids = np.tile(vocabulary.encode(known), 3)
    memory = domain.memory(vocabulary, ids, len(ids), 1 << 16)
    memory.learn(ids[:-300])
    size = len(vocabulary)
    memory.score(ids[-300:], np.full((300, size), -np.log(size), np.float32))
    save_memory(path.with_name(f"{path.stem}.memory.safetensors"), memory, model)


def test_tunes_are_drawn_with_the_memory_that_was_kept(seqforge, model, tmp_path):
    path = model()
    common = ("music", "--model", path, "--formats", "mid,abc", "--no-page", "--json")
    alone = seqforge(*common, "--memory", "--out", tmp_path / "none")
    assert alone.exit_code == 1
    assert "there is no memory; train with --save-memory" in " ".join(alone.stderr.split())

    remember(path)
    plain, mixed, limited = (
        seqforge(*common, *more, "--out", tmp_path / str(n))
        for n, more in enumerate(([], ["--memory"], ["--memory", "--copy-limit", 3]))
    )
    assert (mixed.exit_code, mixed.stderr) == (0, "")
    said = [json.loads(one.stdout) for one in (plain, mixed, limited)]
    settings = [one["settings"] for one in said]
    assert [one.get("copy_limit") for one in settings] == [None, 16, 3]
    assert [one.get("memory", False) for one in settings] == [False, True, True]
    drawn = [(tmp_path / str(n) / "tune.abc").read_text() for n in range(3)]
    (wanted,) = seqforge_module.load(path).sample(memory=True, min_length=0)
    assert said[1]["samples"][0]["mean_log_prob"] == wanted.mean_log_prob
    assert len(set(drawn)) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--formats", "mid,mp3"], "'mp3' is no format; there are mid, abc, musicxml, svg, png"),
        (["--formats", ","], "'nothing' is no format"),
        (["--transpose", "H"], "give semitones (3, -5; up to 36) or a key of at most seven sharps"),
        (
            ["--transpose", "D#"],
            "give semitones (3, -5; up to 36) or a key of at most seven sharps",
        ),
        (["--keep-key"], "--keep-key needs --prime, whose key it keeps"),
        (["--soundfont", "none.sf2"], "none.sf2: cannot be read"),
        (["--prime", "none.mid"], "none.mid: there is no such file"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_drawn(seqforge, model, options, said):
    result = seqforge("music", "--model", model(), *options)
    assert result.exit_code == 1
    assert said in " ".join(result.stderr.split())
    assert not Path("music").exists()


def test_a_limit_of_copies_needs_the_memory(seqforge, model):
    result = seqforge("music", "--model", model(), "--copy-limit", 5)
    assert result.exit_code == 2
    assert "--copy-limit needs --memory: whose copies it limits" in " ".join(result.stderr.split())


def test_play_without_a_player_names_those_there_are(seqforge, model, monkeypatch):
    monkeypatch.setenv("PATH", "")
    result = seqforge("music", "--model", model(), "--play")
    assert result.exit_code == 1
    assert "finds no player here (afplay, ffplay," in " ".join(result.stderr.split())


def test_play_plays_the_first(seqforge, model, tmp_path, monkeypatch):
    heard, program = tmp_path / "heard", tmp_path / "bin" / "aplay"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s" "$2" > {heard}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    result = seqforge("music", "--prime", MELODY, "--model", model(), "--bars", 1, "-n", 2,
                      "--formats", "mid", "--no-page", "--play")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert heard.read_text() == str(Path("music/melody-001.wav"))
    assert Path(heard.read_text()).exists()


def test_formats_hold_for_samples_of_any_command(seqforge, model, tmp_path):
    path = model(formats=["musicxml", "ogg"])
    result = seqforge("sample", path, "--prime-file", MELODY, "--out", tmp_path / "x.mid",
                      "--max-length", 9)  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "x.musicxml").read_text().startswith("<?xml")
    assert soundfile.info(tmp_path / "x.ogg").duration > 10
    assert MusicDomain().formats == ("mid", "abc")
