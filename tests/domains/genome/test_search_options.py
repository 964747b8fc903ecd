"""What the table [search] of a recipe may hold: the domain says, and the core only carries it."""

import pytest

from seqforge.cli.options import assignments
from seqforge.core.config import RunConfig
from seqforge.errors import ConfigError
from seqforge.runs.recipes import find_recipe

ALL = {
    "backend": "local", "against": (), "database": None, "controls": "auto", "max_hits": 50,
    "max_hsps": 5,
}  # fmt: skip
"""As every run of genomes writes it into its files."""


def config(pipeline, *settings):
    return find_recipe(pipeline).with_settings(assignments(settings)).config()


def test_all_values_are_filled_in_and_read_again():
    found = config("genome", "search.max_hits=7")

    assert found.search == {**ALL, "max_hits": 7}
    kept = RunConfig.model_validate_json(found.model_dump_json())
    assert found.differences(kept) == []


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("search.controls=NaN", r"search.controls"),
        ("search.controls=" + "9" * 40, r"search.controls"),
        ("search.backend=blastp", r"search.backend: .*'local'.*\(got 'blastp'\)"),
        ("search.max_hit=3", r"search.max_hit: there is no such setting.*max_hits"),
        ("search.against=3", r"search.against: .*\(got 3\)"),
    ],
)
def test_a_wrong_value_is_one_sentence(setting, said):
    with pytest.raises(ConfigError, match=said) as error:
        config("genome", setting)
    assert len(str(error.value)) < 600


def test_a_domain_that_searches_nothing_reads_nothing_of_it():
    """Files of all domains had this table once."""
    assert config("text", "search.backend=local", "search.max_hits=50").search == {}
