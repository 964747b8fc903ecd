"""A conversation on the command line, through pipes."""

import json
import subprocess
import sys

import pytest

from tests.cli.conversing import symbols_of
from tests.patience import PATIENCE


def test_what_is_typed_is_gone_on_from_as_from_a_prime(piped):
    talk = piped("fly", "-i", "--max-length", 40, lines=["acgt"])
    primed = piped("fly", "-i", "--max-length", 40, "--prime", "acgt")
    sample = piped("fly", "--prime", "acgt", "--max-length", 40, "--json")

    assert talk.stdout == primed.stdout == symbols_of(sample) + "\n"
    assert (talk.returncode, primed.returncode) == (0, 0)


def test_through_pipes_only_the_text_is_on_stdout(piped):
    lines = [r"ROMEO:\n", "", "/t 0.5", "/show", "/text", "/help", "/length 10", "JULIET"]
    talk = piped("shakespeare", "-i", "--max-length", 50, "--seed", 3, lines=lines)
    sample = piped("shakespeare", "--prime", "ROMEO:\n", "--max-length", 100, "--seed", 3, "--json")

    text = symbols_of(sample)
    assert talk.stdout.startswith(text + "JULIET")
    assert len(talk.stdout.removesuffix("\n")) == len(text) + 6 + 10
    assert "temperature 0.5" in talk.stderr
    assert "/again" in talk.stderr
    assert text in talk.stderr
    assert "\x1b" not in talk.stdout + talk.stderr


def test_what_is_wrong_is_a_sentence_and_nothing_is_lost(piped):
    wrong = {
        "acXz": "'X' (U+0058) at position 3 is not a symbol of this model, which knows ACGT; not "
        "known are 'X' (U+0058) once, 'z' (U+007A) once",
        "/t warm": "/t warm: a number is wanted",
        "/t -1": "/t -1: temperature must be 0 or above, not -1",
        "/t 1:x": "is no temperature",
        "/top-k 1.5": "/top-k 1.5: a whole number is wanted",
        "/top-p inf": "/top-p inf: a number is wanted",
        "/typical 2": "typical p must lie in",
        "/window 1000000000000": "65,536 is the most",
        "/seed 99999999999999999999": "is the most",
        "/more 0": "1 or more",
        "/udno": "there is no command /udno; did you mean /undo?",
        "/undo 3": "/undo takes nothing after it",
        "/save": "/save needs the name of a file",
        "/save /nowhere/x.fa": "/nowhere/x.fa: cannot be written",
        "/unknown maybe": "one of refuse, skip, map is wanted",
    }
    lines = ["acgt", *wrong, ""]
    talk = piped("fly", "-i", "--max-length", 20, lines=lines)
    plain = piped("fly", "-i", "--max-length", 20, lines=["acgt", ""])

    for sentence in wrong.values():
        assert sentence in talk.stderr
    assert len(talk.stderr.splitlines()) == len(wrong)
    assert (talk.stdout, talk.returncode) == (plain.stdout, 0)


def test_nothing_yet_is_said_and_no_error(piped, tmp_path):
    talk = piped("fly", "-i", lines=["/undo", "/again", f"/save {tmp_path}/x.fa", "/text", "/quit"])

    assert talk.stdout == ""
    assert talk.stderr.splitlines() == [
        "there is no turn to undo",
        "nothing was drawn yet; an empty line lets the model go on",
        "nothing is written yet, and nothing was saved",
    ]
    assert (talk.returncode, list(tmp_path.iterdir())) == (0, [])


def test_what_was_taken_back_or_drawn_anew_begins_a_line(piped):
    lines = ["acgt", "/again", "/undo", "acgt", "/new", "acgt"]
    talk = piped("fly", "-i", "--max-length", 30, lines=lines)
    samples = json.loads(
        piped("fly", "--prime", "acgt", "--max-length", 30, "-n", 2, "--json").stdout
    )

    first, second = (sample["symbols"] for sample in samples)
    assert talk.stdout.splitlines() == [first, second, first, first]


def test_symbols_that_are_not_known_can_be_left_out(piped):
    lines = ["zé~", "/unknown skip", "zé~"]
    talk = piped("shakespeare", "-i", "--max-length", 5, lines=lines)

    assert "leave them out with /unknown skip" in talk.stderr
    assert "left out: 'é' (U+00E9) once, '~' (U+007E) once" in talk.stderr
    assert talk.stdout.startswith("z")
    assert len(talk.stdout) == 1 + 5 + 1


def test_a_line_begins_with_a_slash_where_two_were_typed(piped):
    talk = piped("shakespeare", "-i", "--unknown", "skip", "--max-length", 5, lines=["//t 9 \\\\n"])

    assert "'/' (U+002F) once" in talk.stderr
    assert "'\\\\' (U+005C) once" in talk.stderr
    assert "'9' (U+0039) once" in talk.stderr
    assert talk.stdout.startswith("t  n")


def test_a_line_that_is_not_utf_8_is_said(surroundings):
    talk = subprocess.run(
        [sys.executable, "-m", "seqforge", "sample", "shakespeare", "-i", "--max-length", "5"],
        input=b"A\xffB\nAB\n", capture_output=True, env=surroundings, timeout=PATIENCE, check=True,
    )  # fmt: skip

    assert b"not UTF-8" in talk.stderr
    assert talk.stdout.startswith(b"AB")


def test_where_the_model_ends_a_record_the_next_line_begins_another(piped, toy, tmp_path):
    model = toy("text")
    kept = tmp_path / "kept.txt"
    lines = ["ab", "cd", "", f"/save {kept}"]
    talk = piped(model, "-i", "--max-length", 1000, lines=lines)
    first = piped(model, "--prime", "ab", "--max-length", 1000, "--json")

    records = talk.stdout.splitlines()
    assert len(records) == 3
    assert records[0] == symbols_of(first)
    assert records[1].startswith("cd")
    assert talk.stderr.count("The record ends here") == 3
    assert kept.read_text() == "\n\n".join(records)


def test_a_tune_is_saved_as_music(piped, toy, tmp_path):
    model = toy("music", code="abc")
    kept = tmp_path / "tune.mid"
    lines = ["abc", f"/save {kept}"]
    talk = piped(model, "-i", "--length", 30, lines=lines)

    assert talk.stdout.startswith("abc")
    assert len(talk.stdout.strip()) == 33
    assert kept.read_bytes().startswith(b"MThd")
    assert talk.stdout.strip() in kept.with_suffix(".abc").read_text()


def test_a_code_that_nobody_reads_is_shown_as_what_it_stands_for(piped, toy):
    talk = piped(toy("music", code="events"), "-i", "--length", 30, lines=["", ""])

    assert talk.returncode == 0
    assert talk.stdout.count("K:") == 2


def test_bytes_are_shown_as_the_characters_they_make(piped, toy, tmp_path):
    """However many bytes of one come in a piece, and whoever gave the first of them."""
    model = toy("text", "abcd\xc3\xa9e", bytes=True)
    lines = ["aé", "", "é", f"/save {tmp_path}/kept", "/text"]
    talk = piped(model, "-i", "--length", 150, lines=lines)

    text = (tmp_path / "kept").read_bytes().decode("utf-8", "replace")
    assert text.count("é") > 2
    assert talk.stdout.rstrip("\n\ufffd") == text.rstrip("\ufffd")
    assert text in talk.stderr


def test_letters_that_are_no_bases_can_be_left_out(piped):
    lines = ["/unknown skip", "acNgn Za"]
    talk = piped("fly", "-i", "--max-length", 20, lines=lines)
    plain = piped("fly", "-i", "--max-length", 20, lines=["acga"])

    assert "left out: 'N' (U+004E) 2 times, 'Z' (U+005A) once" in talk.stderr
    assert talk.stdout == plain.stdout


@pytest.mark.parametrize("more", [("-n", 2), ("--out", "x.fa"), ("--json",), ("--beam", 3)])
def test_what_does_not_go_with_a_conversation_is_a_usage_error(seqforge, more):
    result = seqforge("sample", "fly", "--interactive", *more)

    assert result.exit_code == 2
    assert "--interactive" in result.stderr


def test_a_reader_that_goes_away_ends_it_without_a_traceback(surroundings):
    talk = subprocess.Popen(
        [sys.executable, "-m", "seqforge", "sample", "fly", "-i", "--length", "900000000"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings,
    )  # fmt: skip
    try:
        talk.stdin.write(b"acgt\n")
        talk.stdin.flush()
        assert talk.stdout.read(50).startswith(b"ACGT")
        talk.stdout.close()
        assert talk.wait(PATIENCE) == 1
        assert b"Traceback" not in talk.stderr.read()
    finally:
        talk.kill()
        talk.stdin.close()
        talk.stderr.close()
        talk.wait()
