"""A music file in; out which format it is in, and its notes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from seqforge.base.messages import unreadable
from seqforge.base.textio import first_bytes, mark_of, plain_suffix
from seqforge.errors import InputError

if TYPE_CHECKING:
    from seqforge.domains.music.notes import Piece


def music_file_type(path: Path) -> str:
    """abc, midi or musicxml: by the first bytes, or the ending where they say nothing."""
    from seqforge.domains.music.musicxml.reader import score_in

    head = b""
    with suppress(InputError):  # whoever reads it will say so
        head = first_bytes(path, score_in)
    mark, encoding = mark_of(head)
    if mark:
        head = head[len(mark) :].decode(encoding, "ignore").encode()
    head = head.lstrip()
    if head.startswith((b"X:", b"%abc")):
        return "abc"
    suffix = plain_suffix(path)
    if head.startswith((b"MThd", b"RIFF")) or suffix in (".mid", ".midi"):
        return "midi"
    if head.startswith(b"<") or suffix in (".musicxml", ".mxl", ".xml"):
        return "musicxml"
    return "abc"


def read_notes(path: Path, steps_per_quarter: int) -> tuple[Piece, str]:
    """The piece of a file that is no ABC, and what reading it changed.

    Raises:
        InputError: If it cannot be used.
    """
    from seqforge.domains.music.midi.midi_file import read_midi
    from seqforge.domains.music.musicxml.reader import read_musicxml

    reader = read_midi if music_file_type(path) == "midi" else read_musicxml
    return reader(path, steps_per_quarter)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what a disk may refuse into one sentence.

    Raises:
        InputError: If the file cannot be read.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: {unreadable(error)}") from error
