"""Damaged and hostile MusicXML: notes or one sentence, soon."""

from __future__ import annotations

import io
import random
import zipfile

import pytest

from seqforge.domains.music.event_codec import encode
from seqforge.domains.music.musicxml.reader import read_musicxml
from seqforge.errors import InputError

NOTE = "<note><pitch><step>C</step><octave>4</octave></pitch><duration>4</duration></note>"
SCORE = (
    '<score-partwise version="3.1"><part-list><score-part id="P1"><part-name>M</part-name>'
    '</score-part></part-list><part id="P1"><measure number="1"><attributes>'
    "<divisions>4</divisions><key><fifths>0</fifths></key><time><beats>4</beats><beat-type>4</beat-type></time>"
    f"</attributes>{NOTE * 4}</measure></part></score-partwise>"
)


def archive(text: str, *names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in names or ["score.xml"]:
            packed.writestr(name, text)
    return buffer.getvalue()


def deflated_wrongly() -> bytes:
    data = bytearray(archive(SCORE))
    place = data.index(b"score.xml") + 19
    data[place] ^= 0xFF
    data[place + 1] ^= 0xFF
    return bytes(data)


REPEAT = '<barline location="right"><repeat direction="backward" times="{}"/></barline>'
BAD = {
    "a note of a year": (
        SCORE.replace("<duration>4", "<duration>900000000"), "lasts more than 20,000 quarters",
    ),
    "a million repetitions": (
        SCORE.replace("</measure>", REPEAT.format(1_000_000) + "</measure>"),
        "lasts more than 20,000",
    ),
    "no divisions": (SCORE.replace("<divisions>4", "<divisions>0"), "divisions must be above"),
    "half a file": (SCORE[:400], "is not well-formed XML"),
    "elements in elements": ("<a>" * 100_000, "is XML but not MusicXML"),
    "half an archive": (archive(SCORE)[:200], "is not a whole .zip file"),
    "an archive deflated wrongly": (deflated_wrongly(), "is not a whole .zip file"),
    "an archive without a score": (
        archive(SCORE, "a.txt", "b.txt"), "is a zip archive of 2 files; unpack it",
    ),
}  # fmt: skip


def outcome(data: bytes, path) -> int:
    """The number of notes, or -1 for one sentence that names the file."""
    path.write_bytes(data)
    try:
        piece, said = read_musicxml(path, 24)
    except InputError as error:
        piece, said = None, str(error)
    assert "\n" not in said
    if piece is None:
        assert said.startswith(str(path))
        return -1
    encode(piece)
    return len(piece.notes)


def test_the_score_is_good(tmp_path):
    assert outcome(SCORE.encode(), tmp_path / "x.musicxml") == 4
    assert outcome(archive(SCORE), tmp_path / "x.mxl") == 4


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_hostile_musicxml_is_one_sentence(content, message, tmp_path):
    path = tmp_path / "x.musicxml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)

    with pytest.raises(InputError, match=message):
        read_musicxml(path, 24)


def test_mutated_scores_give_notes_or_an_input_error(tmp_path):
    rng = random.Random(21)
    found = []
    for _ in range(600):
        data = bytearray(rng.choice((SCORE.encode(), archive(SCORE))))
        for _ in range(rng.choice((1, 1, 2, 4))):
            place = rng.randrange(len(data))
            match rng.randrange(3):
                case 0:
                    data[place] ^= 1 << rng.randrange(8)
                case 1:
                    data[place] = rng.choice(b"0123456789-e.<")
                case _:
                    del data[place : place + rng.choice((1, 5))]
        found.append(outcome(bytes(data), tmp_path / "x.musicxml"))

    assert found.count(-1) > 300
    assert sum(notes > 0 for notes in found) > 20
