"""``seqforge config``: settled once, shown, changed, removed."""

import json
import stat
import sys

import pytest

from seqforge.base.user_settings import settings_file
from seqforge.domains.genome.ebi.settings import EbiSettings
from seqforge.errors import ConfigError


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQFORGE_CONFIG", str(tmp_path / "config"))


def test_what_is_set_is_shown_until_it_is_removed(seqforge):
    assert "(not set)" in seqforge("config").stdout
    assert "a@b.org" in seqforge("config", "set", "email", "a@b.org").stdout
    seqforge("config", "set", "database", "em_std_pln")

    shown = json.loads(seqforge("config", "show", "--json").stdout)
    assert (shown["email"], shown["database"]) == ("a@b.org", "em_std_pln")
    assert shown["file"] == str(settings_file())

    seqforge("config", "unset", "email")
    assert EbiSettings.load() == EbiSettings(database="em_std_pln")


@pytest.mark.skipif(sys.platform == "win32", reason="rights of files are another thing there")
def test_only_its_owner_may_read_the_file():
    path = EbiSettings(email="a@b.org").save()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["settings.toml.partial", ".settings.toml.partial"])
def test_what_was_laid_beside_the_file_is_neither_followed_nor_used(tmp_path, name):
    folder = settings_file().parent
    folder.mkdir()
    (folder / "theirs").write_text("precious")
    (folder / "theirs").chmod(0o666)
    (folder / name).symlink_to("theirs")

    EbiSettings(email="ada@example.org").save()

    assert (folder / "theirs").read_text() == "precious"
    assert (folder / name).is_symlink()
    assert settings_file().stat().st_mode & 0o777 == 0o600


def test_a_link_that_a_person_made_of_the_file_stays_one(tmp_path):
    """As those who keep all their settings in one place do."""
    settings_file().parent.mkdir()
    settings_file().symlink_to(tmp_path / "mine.toml")

    EbiSettings(email="ada@example.org").save()

    assert settings_file().is_symlink()
    assert EbiSettings.load().email == "ada@example.org"
    assert (tmp_path / "mine.toml").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("address", ["", "a", "a@b", "a b@c.org", "@c.org", "a@b@c.org"])
def test_what_is_no_address_is_refused(seqforge, address):
    result = seqforge("config", "set", "email", address)
    assert result.exit_code == 1
    assert "is not an e-mail address" in result.stderr
    assert not settings_file().exists()


def test_a_setting_that_does_not_exist_is_refused_with_those_that_do(seqforge):
    result = seqforge("config", "set", "mail", "x")
    assert result.exit_code == 1
    assert "there are email, database" in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [("email = 3\n", "email: .*string"), ("email = \n", "is not TOML"),
     ("mail = 'a@b.org'\n", "mail: there is no such setting"), ("\xff", "email|cannot be read")],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_named(text, said):
    settings_file().parent.mkdir()
    settings_file().write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=f"settings.toml: {said}"):
        EbiSettings.load()
