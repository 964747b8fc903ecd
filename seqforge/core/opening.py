"""Opening files: a path in, bytes or text out, whatever they are packed with or written in.

The one seam through which every reader goes. Content says what is packed (`base.packing`), a
byte-order mark or ``encoding`` what is text (`base.encodings`), and what comes through a pipe is
read once (`base.spooling`). Every mishap is one sentence.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from seqforge.base import zip_member
from seqforge.base.encodings import AsUtf8, mark_of, settled_encoding, text_blocks
from seqforge.base.file_types import HEAD, foreign, is_web_page
from seqforge.base.limits import MOST_WHOLE, VARIABLE, Allowance, own_limit, size_said
from seqforge.base.packing import ENDINGS, Unpacked, packing_of
from seqforge.base.remarks import remark
from seqforge.base.spooling import settled
from seqforge.base.zip_member import Chooser
from seqforge.errors import InputError

__all__ = [
    "first_bytes", "is_packed_name", "opened", "opened_as_utf8", "plain_suffix", "read_bytes",
    "read_text", "read_text_blocks", "refuse_foreign", "suffix_inside",
]  # fmt: skip

_BUFFER = 1 << 18
_LAYERS = 3  # a packed file in a packed file, and no more
_BLOCK = 1 << 20


def plain_suffix(path: Path) -> str:
    """The ending that says what is inside: ``.fa`` for ``x.FA.gz``, lower case."""
    name = path.name.lower()
    while name.endswith(ENDINGS):
        name = name.rpartition(".")[0]
    return Path(name).suffix


def is_packed_name(path: Path) -> bool:
    """Whether a file's name says that it is packed."""
    return path.name.lower().endswith(ENDINGS)


def suffix_inside(path: Path) -> str:
    """`plain_suffix`, or where it is empty that of the only file in a zip archive."""
    suffix = plain_suffix(path)
    if not suffix and path.suffix.lower() == ".zip":
        with suppress(OSError), path.open("rb") as file:
            return plain_suffix(Path(zip_member.member_name(file) or ""))
    return suffix


@contextmanager
def opened(
    path: Path, whole: bool = False, choose: Chooser | None = None, keep_archives: bool = False
) -> Iterator[BinaryIO]:
    """A file open for reading bytes (with ``peek``), unpacked where its content is packed.

    Args:
        path: May be ``-`` or a pipe, and may then be opened again.
        whole: Whether the reader holds all of it in memory; less may then be unpacked.
        choose: Which of several files in a zip archive is meant.
        keep_archives: Whether a zip archive of several files is taken as the bytes that it is.

    Raises:
        InputError: If it is missing, a folder, cut short, damaged, an archive of several files, or
            unpacks without end; also for what goes wrong while it is read.
    """
    place = settled(path)
    if place.is_dir():
        raise InputError(f"{path}: is a folder; name a file in it")
    try:
        with place.open("rb", _BUFFER) as file:
            yield cast("BinaryIO", _unpacked(file, str(path), whole, choose, keep_archives))
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error


def _unpacked(
    file: Any, where: str, whole: bool, choose: Chooser | None, keep_archives: bool
) -> Any:
    stream = file
    for _ in range(_LAYERS):
        head = stream.peek(HEAD)[:HEAD]
        raw: Unpacked
        if head.startswith(zip_member.MAGIC):
            if stream is not file:
                raise InputError(f"{where}: is a zip archive in a packed file; unpack it")
            try:
                raw = zip_member.opened_member(file, where, Allowance(whole), choose)
            except zip_member.SeveralFiles:
                if not keep_archives:
                    raise
                file.seek(0)
                return file
        elif (packing := packing_of(head)) is not None:
            raw = Unpacked(stream, packing, where, Allowance(whole))
        else:
            return stream
        stream = io.BufferedReader(raw, _BUFFER)
    if packing_of(stream.peek(HEAD)[:HEAD]) is not None:
        raise InputError(f"{where}: is packed more than {_LAYERS} times over; unpack it")
    return stream


@contextmanager
def opened_as_utf8(path: Path, encoding: str = "", whole: bool = False) -> Iterator[BinaryIO]:
    """The same for a reader of text as bytes: what is marked or said to be of another encoding
    comes as UTF-8 without a mark, and anything else just as it is.

    Raises:
        InputError: As `opened` does, or for a byte that fits no character.
    """
    with opened(path, whole) as stream:
        mark, marked = mark_of(cast("io.BufferedReader", stream).peek(4)[:4])
        if settled_encoding(encoding) or (mark and marked != "utf-8"):
            recoded = io.BufferedReader(AsUtf8(stream, str(path), encoding), _BUFFER)
            yield cast("BinaryIO", recoded)
        else:
            stream.read(len(mark))
            yield stream


def first_bytes(path: Path, choose: Chooser | None = None) -> bytes:
    """The first bytes of what is in a file, 512 where there are so many.

    Raises:
        InputError: As `opened` does.
    """
    with opened(path, choose=choose) as stream:
        return cast("io.BufferedReader", stream).peek(HEAD)[:HEAD]


def refuse_foreign(path: Path, head: bytes, web_pages: bool = False) -> None:
    """Name a file for what it is where no reader of text can use it.

    Args:
        path: For the message.
        head: Its first bytes.
        web_pages: Whether HTML is text like any other.

    Raises:
        InputError: If it is a PDF, an archive, an image and the like; says what to do.
    """
    if (found := foreign(head)) is not None:
        raise InputError(f"{path}: is {found}")
    if not web_pages and is_web_page(head):
        raise InputError(
            f"{path}: is a web page (HTML), perhaps saved in place of the file that was meant; "
            "download that file again"
        )


def read_bytes(
    path: Path, most: int | None = None, what: str = "", choose: Chooser | None = None
) -> bytes:
    """A file's whole content, unpacked.

    Args:
        path: May be a pipe.
        most: Bytes that it may have; by itself what memory may hold.
        what: The kind of file that may have no more: ``a MIDI file``.
        choose: As `opened` has it.

    Raises:
        InputError: As `opened` does, or if it is larger.
    """
    limit = _most_held() if most is None else most
    parts, size = [], 0
    with opened(path, whole=True, choose=choose) as stream:
        while block := stream.read(_BLOCK):
            parts.append(block)
            size += len(block)
            if size > limit:
                raise InputError(_too_large(path, limit, what))
    return b"".join(parts)


def _most_held() -> int:
    own = own_limit()
    return MOST_WHOLE if own is None else own


def _too_large(path: Path, limit: int, what: str = "") -> str:
    said = f"{path}: holds more than {size_said(limit)}"
    if what:
        return f"{said}, which is too much for {what}; is it another kind of file?"
    return f"{said}, too much to be read at once; cut it up, or set {VARIABLE}=8G"


def read_text_blocks(
    path: Path, encoding: str = "", whole: bool = False, besides: str = ""
) -> Generator[str]:
    r"""A file's text a block at a time: without its byte-order mark, line ends as ``\n``.

    Args:
        path: May be a pipe.
        encoding: What it is in where no mark says so; UTF-8 where nothing is given.
        whole: As `opened` has it.
        besides: What a message may propose besides: ``, or ...``.

    Raises:
        InputError: If it cannot be read, is no text, or not in that encoding (names the offset).
    """
    with opened(path, whole) as stream:
        head = cast("io.BufferedReader", stream).peek(HEAD)[:HEAD]
        refuse_foreign(path, head, web_pages=True)
        if is_web_page(head):
            remark("a web page (HTML): its tags are text like the rest")
        yield from text_blocks(stream, str(path), encoding, besides)


def read_text(path: Path, encoding: str = "", besides: str = "") -> str:
    """The same as one text.

    Raises:
        InputError: As `read_text_blocks` does, or if it is too large to be held.
    """
    limit, parts, size = _most_held(), [], 0
    for block in read_text_blocks(path, encoding, whole=True, besides=besides):
        parts.append(block)
        size += len(block)
        if size > limit:
            raise InputError(_too_large(path, limit))
    return "".join(parts)
