"""A conversation on a terminal."""

import re

import pytest

from tests.cli.conversing import OnTerminal, symbols_of
from tests.patience import PATIENCE

pytest.importorskip("pty")


def test_on_a_terminal_the_model_goes_on_below_what_was_typed(terminal, piped):
    talk = terminal("fly", "-i", "--max-length", 40)
    talk.until(r"/help says the rest\.\n")
    talk.until("> ")
    talk.type("acgt\n")
    shown = talk.until(r"[ACGT]{44}\n> ")
    talk.type("/t 0.5\n")
    talk.until("temperature 0.5\n> ")
    talk.type("/undo\n")
    talk.until("taken back; nothing is written now\n> ")
    talk.type("\x04")

    assert talk.process.wait(PATIENCE) == 0
    sample = piped("fly", "--prime", "acgt", "--max-length", 40, "--json")
    assert symbols_of(sample) in shown


def test_ctrl_c_stops_the_model_and_keeps_what_came(terminal, tmp_path):
    talk = terminal("fly", "-i", "--length", 900_000_000)
    talk.until("> ")
    talk.type("acgt\n")
    shown = talk.until(r"ACGT[ACGT]{200}")
    talk.type("\x03")
    talk.until("stopped; what came is kept\n> ")
    talk.type(f"/save {tmp_path}/x.fa\n")
    talk.until("saved: .*\n> ")
    talk.type("/more 50\n")
    talk.until(r"[ACGT]{50}\n> ")
    talk.type("/quit\n")

    assert talk.process.wait(PATIENCE) == 0
    kept = "".join((tmp_path / "x.fa").read_text().split("\n")[1:])
    # Of what comes after Ctrl-C the terminal itself drops what it had not shown yet.
    assert kept.startswith(shown[shown.index("ACGT") :].strip())


def test_ctrl_c_at_the_prompt_says_how_to_leave(terminal):
    talk = terminal("fly", "-i", "--max-length", 10, "--quiet")
    assert talk.until("> ").endswith("> ")
    talk.type("gat")
    talk.until("gat")
    talk.interrupt(r"Ctrl-D or /quit leaves\.\n> ")
    talk.type("\n")
    shown = talk.until(r"\n[ACGT]{10}\n> ")
    talk.type("/quit\n")

    assert "GAT" not in shown.upper().partition("\n")[0]
    assert talk.process.wait(PATIENCE) == 0


def test_with_the_text_sent_to_a_file_a_person_still_sees_the_prompt(terminal, tmp_path):
    with (tmp_path / "out.txt").open("w") as out:
        talk = terminal("fly", "-i", "--max-length", 30, stdout=out)
        talk.until("> ")
        talk.type("acgt\n")
        talk.until("> ")
        talk.type("/top-k 2\n")
        talk.until("top k 2\n> ")
        talk.type("\x04")
        assert talk.process.wait(PATIENCE) == 0

    assert re.fullmatch(r"ACGT[ACGT]{30}\n", (tmp_path / "out.txt").read_text())


def test_what_the_person_typed_is_bold(surroundings):
    talk = OnTerminal({**surroundings, "TERM": "xterm"}, "fly", "-i", "--max-length", 40)
    before = r"\x1b\[1mACGT\x1b\[0m(\x1b\[2m[ACGT]+\x1b\[0m)+\x1b\[1mTTT\x1b\[0m"
    try:
        talk.until("> ")
        talk.until(r"^\x1b\[1m")  # so is what is being typed
        talk.type("acgt\n")
        talk.until(r"acgt\n\x1b\[0m")
        talk.until(r"\x1b\[1mACGT\x1b\[0m[ACGT]{40}\n> ")
        talk.type("ttt\n")
        talk.until(before + r"[ACGT]{40}\n> ")
        talk.type("/text\n")
        talk.until(before + r"(\x1b\[2m[ACGT]+\x1b\[0m)+\n> ")
    finally:
        talk.close()
