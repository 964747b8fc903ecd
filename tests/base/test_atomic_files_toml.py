"""A recipe, settings: whatever is in the file, one sentence."""

import pytest

from seqforge.base.atomic_files import read_toml
from seqforge.domains.genome.ebi.settings import EbiSettings
from seqforge.errors import ConfigError

BAD = {
    "a number of 5,000 digits": (b"x = " + b"9" * 5000, "is not TOML: Exceeds the limit"),
    "500 lists in lists": (b"x = " + b"[" * 500 + b"]" * 500, "nested too deep|is not TOML"),
    "50,000 lists": (b"x = " + b"[" * 50_000, "nested too deep|is not TOML"),
    "50,000 tables": (b"x = " + b"{a=" * 50_000, "nested too deep|is not TOML"),
    "binary": (bytes(range(256)), "is not|cannot be read"),
    "a gzip file": (b"\x1f\x8b\x08\0\xff\xfe", "byte 0x8b at offset 1 is not UTF-8"),
    "half a line": (b"x = ", "is not TOML: Invalid value"),
    "zeros": (bytes(100), "is not TOML"),
}


@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD)
def test_what_is_no_toml_is_one_sentence(tmp_path, monkeypatch, data, message):
    path = tmp_path / "settings.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=message) as error:
        read_toml(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300

    monkeypatch.setenv("SEQFORGE_CONFIG", str(tmp_path))
    with pytest.raises(ConfigError, match="mend or remove it"):
        EbiSettings.load()


def test_a_byte_order_mark_is_no_key(tmp_path):
    (tmp_path / "x.toml").write_bytes(b"\xef\xbb\xbfx = 1\n")
    assert read_toml(tmp_path / "x.toml") == {"x": 1}
