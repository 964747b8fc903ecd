"""Exact round trips of whole files, by the laws that benchmarks/round_trips.py counts."""

from __future__ import annotations

import argparse
import importlib

import pytest

from seqforge.domains.music.notes import Note, Piece
from tests.conftest import ROOT


@pytest.fixture
def round_trips(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("round_trips")


def counts(round_trips, folder, **numbers) -> dict[str, int]:
    chosen = argparse.Namespace(seed=1, **numbers)
    rows = list(round_trips.measured(chosen, folder))
    assert [row["inexact"] for row in rows] == [{}] * len(rows)
    return {row["what"]: row["exact"] for row in rows}


def test_a_few_of_each_kind_come_back_exactly(round_trips, tmp_path):
    found = counts(round_trips, tmp_path, midi=None, chorales=1, tunes=40, random=60)
    assert found == {
        "chorales": 1, "tunes": 40, "random texts, events": 60, "random texts, abc": 60,
    }  # fmt: skip


@pytest.mark.slow
def test_all_of_each_kind_come_back_exactly(round_trips, shared_data, tmp_path):
    """Five minutes: most are the chorales, which music21 reads, and 10,000 texts of ABC."""
    folder = shared_data / "music" / "midi"
    found = counts(round_trips, tmp_path, midi=folder, chorales=400, tunes=1000, random=10_000)
    assert found == {
        "MIDI files": len(list(folder.glob("*.mid"))), "chorales": 400, "tunes": 1000,
        "random texts, events": 10_000, "random texts, abc": 10_000,
    }  # fmt: skip


def test_what_midi_cannot_say_is_no_exact_round_trip(round_trips):
    """Two notes of one pitch that overlap: the first is cut."""
    piece = Piece((Note(60, 80, 0, 48), Note(60, 80, 24, 48)))
    assert round_trips.lost(piece, "x") == "the places of notes"


def test_a_text_that_cleaning_changes_is_no_exact_round_trip(round_trips, tmp_path):
    assert round_trips.lost_tune("M:4/4\nL:1/8\nK:C\n!f!C4 |D4|]", "x", tmp_path) == (
        "text, file, text"
    )
