"""Files are opened by their content, whatever they are called; every mishap is one sentence."""

import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.base import zip_archive
from seqforge.base.compression import packing_of, zstd_module
from seqforge.base.messages import collected_remarks
from seqforge.base.textio import (
    opened,
    opened_as_utf8,
    plain_suffix,
    read_bytes,
    read_text,
    suffix_inside,
)
from seqforge.errors import ConfigError, InputError


def zipped(data: bytes, method: int = zipfile.ZIP_DEFLATED, names=("x.txt",)) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name in names:
            archive.writestr(name, data)
    return buffer.getvalue()


def bgzipped(data: bytes) -> bytes:
    """Blocks of gzip with an extra field and an empty block behind them, as bgzip writes them."""

    def block(piece: bytes) -> bytes:
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        deflated = packer.compress(piece) + packer.flush()
        head = b"\x1f\x8b\x08\x04" + bytes(4) + b"\0\xff\x06\0BC\x02\0"
        size = struct.pack("<H", len(head) + 2 + len(deflated) + 8 - 1)
        return head + size + deflated + struct.pack("<II", zlib.crc32(piece), len(piece))

    pieces = [data[start : start + 10_000] for start in range(0, len(data), 10_000)]
    return b"".join(map(block, [*pieces, b""]))


PACKERS = {
    "plain": lambda data: data,
    "gz": gzip.compress,
    "bgzip": bgzipped,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda data: zstd_module().compress(data),
    "zip": zipped,
    "zip, stored": lambda data: zipped(data, zipfile.ZIP_STORED),
    "zip, bz2": lambda data: zipped(data, zipfile.ZIP_BZIP2),
    "gz in xz": lambda data: lzma.compress(gzip.compress(data)),
}
MEMBERS = [name for name in PACKERS if name not in ("plain", "gz in xz") and "zip," not in name]
zstd: Any = zstd_module()
SEQUENCE = "".join(random.Random(0).choices("ACGT\n", k=300_000)).encode()  # over a buffer's size


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
@pytest.mark.parametrize("name", ["x", "x.txt", "x.txt.gz"])
def test_content_says_what_is_packed_and_the_name_does_not(tmp_path, pack, name):
    path = tmp_path / name
    path.write_bytes(pack(SEQUENCE))

    assert read_bytes(path) == SEQUENCE


def is_plain(data: bytes) -> bool:
    """Whether bytes do not look packed themselves, which would be unpacked too."""
    return packing_of(data) is None and not data.startswith(zip_archive.MAGIC)


@given(
    data=st.binary(max_size=300).filter(is_plain),
    pack=st.sampled_from(list(PACKERS)[1:]),
    parts=st.integers(1, 3),
)
def test_any_bytes_come_back_also_from_several_members(tmp_path_factory, data, pack, parts):
    path = tmp_path_factory.mktemp("packed") / "x"
    parts = 1 if "zip" in pack else parts
    path.write_bytes(b"".join(PACKERS[pack](data) for _ in range(parts)))

    assert read_bytes(path) == data * parts or pack == "gz in xz"


@pytest.mark.parametrize("name", ["gz", "bz2", "xz", "zst"])
def test_zeros_behind_are_padding_and_anything_else_is_said_to_be_left_out(tmp_path, name):
    path = tmp_path / "x"
    for behind, said in (
        (bytes(4096), []),
        (b"garbage", [f"what follows the .{name} data was left out"]),
    ):
        path.write_bytes(PACKERS[name](SEQUENCE) + behind)
        with collected_remarks() as remarks:
            assert read_bytes(path) == SEQUENCE
        assert list(remarks) == said


def outcome(path) -> int:
    """How many bytes come, or -1 for one sentence."""
    try:
        return len(read_bytes(path))
    except InputError as error:
        return -1 if "\n" not in str(error) else 10**9


@pytest.mark.parametrize("name", MEMBERS)
def test_what_is_cut_short_or_damaged_is_one_sentence(tmp_path, name):
    path, rng = tmp_path / "x", random.Random(1)
    whole = PACKERS[name](SEQUENCE[:5000])
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"x: is not a whole \.\w+ file .*download it again"):
        read_bytes(path)

    for _ in range(60):
        data = bytearray(whole)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        assert outcome(path) < 10 * len(SEQUENCE)


def taken(path) -> int:
    """How many bytes come before one sentence ends it."""
    seen = 0

    def read() -> None:
        nonlocal seen
        with opened(path, whole=True) as stream:
            while block := stream.read(1 << 20):
                seen += len(block)

    with pytest.raises(InputError, match=r"x: unpacks to more than .* SEQFORGE_UNPACK_LIMIT"):
        read()
    return seen


def test_what_unpacks_without_end_is_stopped_early(tmp_path):
    (tmp_path / "x").write_bytes(zstd.compress(bytes(200_000_000)))
    assert taken(tmp_path / "x") < 66_000_000


@pytest.mark.parametrize("name", MEMBERS)
def test_so_it_is_whatever_packs_it(tmp_path, monkeypatch, name):
    monkeypatch.setenv("SEQFORGE_UNPACK_LIMIT", "1M")
    (tmp_path / "x").write_bytes(PACKERS[name](bytes(5_000_000)))
    assert taken(tmp_path / "x") < 2_000_000


def test_the_limit_can_be_set(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(zstd.compress(bytes(80_000_000)))
    monkeypatch.setenv("SEQFORGE_UNPACK_LIMIT", "80 MB")
    assert len(read_bytes(path)) == 80_000_000
    monkeypatch.setenv("SEQFORGE_UNPACK_LIMIT", "1MB")
    with pytest.raises(InputError, match="unpacks to more than"):
        read_bytes(path)
    monkeypatch.setenv("SEQFORGE_UNPACK_LIMIT", "much")
    with pytest.raises(ConfigError, match=r"SEQFORGE_UNPACK_LIMIT: a size such as 500M or 8G"):
        read_bytes(path)


def test_a_zip_that_lies_about_its_size_is_noticed(tmp_path):
    data = bytearray(zipped(SEQUENCE))
    place = data.index(b"PK\x01\x02") + 24
    for said in (10, 2**31):
        data[place : place + 4] = struct.pack("<I", said)
        (tmp_path / "x").write_bytes(data)
        with pytest.raises(InputError, match=r"x: is not a whole \.zip file"):
            read_bytes(tmp_path / "x")


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    return buffer.getvalue()


FOREIGN = {
    "a tar archive": tar(),
    "a tar archive; unpack it": gzip.compress(tar()),
    "a PDF; save its text": b"%PDF-1.4\n%\xe2\xe3\n",
    "a 7z archive": b"7z\xbc\xaf\x27\x1c\0\4",
    "a RAR archive": b"Rar!\x1a\x07\1\0",
    "a Word document; save it as plain text": zipped(b"<x/>", names=["a.xml", "word/document.xml"]),
    "an Excel workbook": zipped(b"<x/>", names=["[Content_Types].xml", "xl/workbook.xml"]),
    "an e-book or an OpenDocument file": zipped(b"x", names=["mimetype", "content.xml"]),
    "a zip archive of 2 files; unpack it": zipped(b"x", names=["a.txt", "b.txt"]),
    "an empty zip archive": zipped(b"", names=[]),
    "an SQLite database": b"SQLite format 3\0" + bytes(90),
    r"an image \(PNG\)": b"\x89PNG\r\n\x1a\n" + bytes(90),
    r"an image \(JPEG\)": b"\xff\xd8\xff\xe0" + bytes(90),
    r"sound \(WAV\)": b"RIFF\x24\0\0\0WAVEfmt ",
    "an old Word": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(90),
    "a model": struct.pack("<Q", 900) + b'{"seqforge"',
}  # fmt: skip


@pytest.mark.parametrize(("what", "data"), FOREIGN.items(), ids=FOREIGN)
def test_what_is_no_text_is_named_for_what_it_is(tmp_path, what, data):
    (tmp_path / "x.txt").write_bytes(data)

    with pytest.raises(InputError, match=rf"x\.txt: is {what}"):
        read_text(tmp_path / "x.txt")


TEXT = "né\r\n“ici”\rlà\n" * 30_000


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_says_what_text_is_in(tmp_path, encoding):
    (tmp_path / "x").write_bytes(TEXT.encode(encoding))
    expected = TEXT.replace("\r\n", "\n").replace("\r", "\n")

    assert read_text(tmp_path / "x") == expected
    assert read_text(tmp_path / "x", "latin-1") == expected, "the mark says more"
    with opened_as_utf8(tmp_path / "x") as stream:
        assert stream.read().decode().replace("\r\n", "\n").replace("\r", "\n") == expected


def test_big_endian_is_known_by_its_mark_too(tmp_path):
    (tmp_path / "x").write_bytes(b"\xfe\xff" + "né".encode("utf-16-be"))
    assert read_text(tmp_path / "x") == "né"


@pytest.mark.parametrize(
    "encoding", ["cp1252", "utf-16-le", "utf-16", "shift-jis", "UTF_8", "iso-2022-jp", "gb18030"]
)
def test_an_encoding_can_be_said(tmp_path, encoding):
    text = "日本 ok\n" if encoding in ("shift-jis", "iso-2022-jp", "gb18030") else "né “x”\n"
    data = text.encode("utf-16-le" if encoding == "utf-16" else encoding)
    (tmp_path / "x").write_bytes(data)

    assert read_text(tmp_path / "x", encoding) == text


def test_text_in_utf_16_without_a_mark_is_advised(tmp_path):
    (tmp_path / "x").write_bytes("hello".encode("utf-16-be"))
    with pytest.raises(InputError, match=r"x: holds a zero byte at offset 0.*--encoding utf-16-be"):
        read_text(tmp_path / "x")


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        (b"a" * 300_000 + b"\xe9b", "", "byte 0xe9 at offset 300000 is not UTF-8.*--encoding"),
        (b"\xef\xbb\xbfab\xff", "", "byte 0xff at offset 5 is not UTF-8"),
        (b"ab\xed\xa0\x80", "", "byte 0xed at offset 2 is not UTF-8"),
        (b"\xff\xfe\x00\xd8a\0", "", "at offset 2 is not utf-16-le.*another --encoding"),
        (b"ab\x81", "cp1252", "byte 0x81 at offset 2 is not cp1252"),
        (b"ab\0c", "", "holds a zero byte at offset 2, so it is no text"),
        (b"a" * 300_000 + b"\0", "latin-1", "holds a zero byte, so it is no text"),
    ],
)
def test_what_fits_no_character_is_named_by_its_offset(tmp_path, data, encoding, message):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_text(tmp_path / "x", encoding)


def test_names_say_what_is_inside_whatever_packs_it(tmp_path):
    names = ["x.fa.bgz", "x.FA.XZ", "x.fa.zst", "x.fa.zip", "x.fa", "x.fa.gz.bz2"]
    assert {plain_suffix(Path(name)) for name in names} == {".fa"}
    (tmp_path / "x.zip").write_bytes(zipped(b"x", names=["__MACOSX/y.fa", "y.fa"]))
    assert suffix_inside(tmp_path / "x.zip") == ".fa"
