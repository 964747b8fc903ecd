"""From the first bytes of a file to what it is, where no reader of ours reads it, and a remedy.

Names of files say nothing here: an error page that was saved as ``genome.fa`` is a web page.
"""

from __future__ import annotations

HEAD = 512
"""Bytes that are enough to know any of them."""

_UNPACK = "unpack it, and name what is in it"
_TEXT = "save its text as a plain text file"
_SOUND = "no notes or letters can be read from sound or pictures"

_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF-", "a PDF", _TEXT),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\x1f\x9d", "packed by compress (.Z)", "unpack it with gunzip"),
    (b"\x04\x22\x4d\x18", "packed by lz4", "unpack it with lz4 -d"),
    (b"LZIP", "packed by lzip", "unpack it with lzip -d"),
    (b"\x89LZO\0", "packed by lzop", "unpack it with lzop -d"),
    (b"!<arch>\n", "an ar archive", _UNPACK),
    (b"MSCF\0\0\0\0", "a cabinet archive", _UNPACK),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Word, Excel or PowerPoint file", _TEXT),
    (b"{\\rtf", "rich text (RTF)", _TEXT),
    (b"SQLite format 3\0", "an SQLite database", "export the table that is meant as text"),
    (b"\x89PNG\r\n\x1a\n", "an image (PNG)", _SOUND),
    (b"\xff\xd8\xff", "an image (JPEG)", _SOUND),
    (b"GIF87a", "an image (GIF)", _SOUND),
    (b"GIF89a", "an image (GIF)", _SOUND),
    (b"II*\0", "an image (TIFF)", _SOUND),
    (b"MM\0*", "an image (TIFF)", _SOUND),
    (b"OggS", "sound (Ogg)", _SOUND),
    (b"fLaC", "sound (FLAC)", _SOUND),
    (b"ID3", "sound (MP3)", _SOUND),
    (b"\x7fELF", "a program", "name a file with data in it"),
    (b"\xca\xfe\xba\xbe", "a program", "name a file with data in it"),
    (b"\xcf\xfa\xed\xfe", "a program", "name a file with data in it"),
    (b"\0asm", "a program", "name a file with data in it"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "export what is meant as text"),
    (b"\x93NUMPY", "a NumPy array", "export what is meant as text"),
    (b"PAR1", "a Parquet table", "export the column that is meant as text"),
    (b"ARROW1", "an Arrow table", "export the column that is meant as text"),
    (b"wOFF", "a font", "name a file with data in it"),
    (b"wOF2", "a font", "name a file with data in it"),
    (b"BAM\x01", "a BAM file of alignments", "write its sequences with samtools fasta"),
    (b"CRAM", "a CRAM file of alignments", "write its sequences with samtools fasta"),
    (b"\x43\x27\x41\x1a", "a .2bit genome", "write it as FASTA with twoBitToFa"),
    (b"\x1a\x41\x27\x43", "a .2bit genome", "write it as FASTA with twoBitToFa"),
)

_RIFF = {
    b"WAVE": ("sound (WAV)", _SOUND),
    b"AVI ": ("a video", _SOUND),
    b"WEBP": ("an image (WebP)", _SOUND),
}

_BLANK = b"\xef\xbb\xbf \t\r\n"
_WEB = (b"<!doctype html", b"<html", b"<head>", b"<body")


def is_tar(head: bytes) -> bool:
    """Whether a tar archive begins so (POSIX: ``ustar`` at offset 257)."""
    return head[257:262] == b"ustar"


def is_web_page(head: bytes) -> bool:
    """Whether HTML begins so, or XHTML behind its XML declaration."""
    start = head.lstrip(_BLANK).lower()
    if start.startswith(b"<?xml"):
        start = start.partition(b"?>")[2].lstrip(_BLANK)
    return start.startswith(_WEB)


def foreign(head: bytes) -> str | None:
    """What begins so, as the end of a sentence: ``a PDF; save its text ...``; None if unknown.

    Args:
        head: The first bytes, `HEAD` of them where there are so many.
    """
    if is_tar(head):
        return f"a tar archive; {_UNPACK}"
    if head[:4] == b"RIFF" and head[8:12] in _RIFF:
        what, remedy = _RIFF[head[8:12]]
        return f"{what}; {remedy}"
    if head[4:8] == b"ftyp":
        return f"sound or video (MP4); {_SOUND}"
    if head[:2] == b"BM" and head[6:10] == bytes(4) and len(head) > 26:
        return f"an image (BMP); {_SOUND}"
    if head[8:10] == b'{"' and head[2:8] == bytes(6):  # a length below 65536, then JSON
        return "a model (.safetensors); name it as MODEL or with --init"
    for beginning, what, remedy in _BEGINNINGS:
        if head.startswith(beginning):
            return f"{what}; {remedy}"
    return None
