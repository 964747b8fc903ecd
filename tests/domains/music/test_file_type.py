"""Music is told apart by its content, whatever packs it and whatever it is called."""

import io
import zipfile

import pytest

from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.file_type import music_file_type
from seqforge.errors import InputError
from tests.base.test_textio import PACKERS
from tests.domains.music.midi.test_midi_file import NOTES, header, track

ABC = "X:1\nT:né\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|]\n"
SCORE = (
    "<?xml version='1.0'?><score-partwise><part-list><score-part id='P1'><part-name>x</part-name>"
    "</score-part></part-list><part id='P1'><measure number='1'><attributes>"
    "<divisions>1</divisions></attributes><note><pitch><step>C</step><octave>4</octave></pitch><duration>4</duration>"
    "</note></measure></part></score-partwise>"
)
FILES = {"abc": ABC.encode(), "midi": header() + track(NOTES), "musicxml": SCORE.encode()}


@pytest.mark.parametrize("pack", ["plain", "gz", "bgzip", "xz", "zst", "zip"])
@pytest.mark.parametrize("what", FILES)
@pytest.mark.parametrize("name", ["x", "x.abc", "x.dat.gz"])
def test_a_file_is_what_its_content_is(tmp_path, pack, what, name):
    path = tmp_path / name
    path.write_bytes(PACKERS[pack](FILES[what]))
    assert music_file_type(path) == what
    (record,) = MusicDomain(code="events").read(path)
    assert record.symbols


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_abc_and_scores_in_other_encodings(tmp_path, encoding):
    path = tmp_path / "x.abc"
    path.write_bytes(ABC.encode(encoding))
    assert [record.name for record in MusicDomain(code="abc").read(path)] == ["né"]
    path.write_bytes(SCORE.encode(encoding))
    assert music_file_type(path) == "musicxml"


def test_abc_in_utf_16_without_a_mark_is_advised_and_read(tmp_path):
    path = tmp_path / "x.abc"
    path.write_bytes(ABC.encode("utf-16-le"))
    with pytest.raises(InputError, match="--encoding utf-16-le"):
        list(MusicDomain(code="abc").read(path))
    (record,) = MusicDomain(code="abc", encoding="utf-16-le").read(path)
    assert record.name == "né"


def mxl(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


CONTAINER = ("META-INF/container.xml", b"<container/>")
WORD = mxl(("[Content_Types].xml", b"<x/>"), ("word/document.xml", b"<y/>"))


def test_a_compressed_score_is_read_and_one_in_another_is_not(tmp_path):
    path = tmp_path / "x.mxl"
    inner = mxl(CONTAINER, ("score.xml", SCORE.encode()))
    path.write_bytes(inner)
    assert len(list(MusicDomain(code="events").read(path))) == 1
    path.write_bytes(mxl(CONTAINER, ("score.xml", inner)))
    with pytest.raises(InputError, match="is a zip archive in a packed file"):
        list(MusicDomain(code="events").read(path))


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("x.mid", b"%PDF-1.4\n", "a PDF"),
        ("x.musicxml", b"<!DOCTYPE html><html>", "a web page"),
        ("x.abc", b"\x89PNG\r\n\x1a\n", "an image"),
        ("x.mid", b"RIFF\x24\0\0\0WAVEfmt ", "sound"),
        ("x.mxl", WORD, "a Word document"),
    ],
)
def test_what_is_no_music_is_named(tmp_path, name, data, what):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=what):
        list(MusicDomain(code="events").read(tmp_path / name))
