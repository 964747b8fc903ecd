"""Before anything is sent: what the service offers, in its own words, and what it would refuse."""

from __future__ import annotations

import json

import pytest

from seqforge.domains.genome.ebi.backend import EbiBackend
from seqforge.domains.genome.ebi.client import EbiClient, read_details, read_types
from seqforge.domains.genome.ebi.errors import Transient, Unreadable
from seqforge.domains.genome.ebi.job_params import (
    ServiceMetadata,
    check_query,
    current_name,
    key_of,
    prepare,
)
from seqforge.domains.genome.ebi.job_store import JobStore
from seqforge.domains.genome.similarity.hits import Query
from seqforge.domains.genome.similarity.parameters import ProteinParameters, SearchParameters
from seqforge.errors import ConfigError, InputError
from tests.conftest import SHARED, missing


@pytest.fixture
def said():
    return []


@pytest.fixture
def catalogue(double, clock, said):
    def make(tool: str = "ncbiblast", *, ask: bool = True) -> ServiceMetadata:
        client = EbiClient("", tool, double.url, clock.sleep, clock)
        return ServiceMetadata(client, said.append, ask=ask)

    return make


def settings(catalogue, *, tool="ncbiblast", letters="dna", database="em_std_inv", **parameters):
    forms = prepare(tool, letters, [database], SearchParameters(**parameters), catalogue(tool))
    return forms.settings


def test_the_defaults_in_the_services_words(catalogue):
    assert settings(catalogue) == {
        "title": "seqforge",
        "program": "blastn",
        "task": "blastn",
        "stype": "dna",
        "database": ["em_std_inv"],
        "match_scores": "1,-3",
        "gapopen": "5",
        "gapext": "2",
        "exp": "10",
        "filter": "F",
        "scores": "50",
        "alignments": "50",
    }


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        (1e-5, "1e-5"),
        (1.0, "1.0"),
        (10.0, "10"),
        (1e-200, "1e-200"),
        (0.1, "1e-1"),
        (2e-5, "1e-4"),
        (3e-11, "1e-10"),
        (1e-240, "1e-200"),
        (5.0, "10"),
        (1000.0, "1000"),
    ],
)
def test_e_values_are_snapped_upward_to_what_is_offered(catalogue, asked, sent):
    assert settings(catalogue, evalue=asked)["exp"] == sent


@pytest.mark.parametrize(("asked", "sent"), [(1, "5"), (37, "50"), (50, "50"), (501, "750")])
def test_hits_are_rounded_up_and_both_numbers_are_set(catalogue, asked, sent):
    form = settings(catalogue, max_hits=asked)

    assert (form["scores"], form["alignments"]) == (sent, sent)


def test_what_is_more_than_is_offered_is_refused(catalogue):
    with pytest.raises(ConfigError, match=r"2000 is above what EMBL-EBI offers, at most 1000"):
        settings(catalogue, evalue=2000)
    with pytest.raises(ConfigError, match="number of hits 1001 is above"):
        settings(catalogue, max_hits=1001)


def test_masking_is_always_said(catalogue):
    assert settings(catalogue, dust=True)["filter"] == "T"
    assert settings(catalogue, dust=False)["filter"] == "F"
    with pytest.raises(ConfigError, match="fasta has no DUST"):
        settings(catalogue, tool="fasta", dust=True)


def test_gap_costs_that_are_not_offered_are_refused(catalogue):
    with pytest.raises(ConfigError, match="--gaps 24 is not offered by EMBL-EBI for gapopen"):
        settings(catalogue, gap_open=24)
    with pytest.raises(ConfigError, match=r"--gaps 7 is not offered .* for gapext; .* 6 8 10"):
        settings(catalogue, gap_extend=7)


def test_the_fasta_tool_has_signs_of_its_own(catalogue):
    """Its first cost is that of a gap's first letter."""
    form = settings(catalogue, tool="fasta", evalue=1e-4)

    assert (form["program"], form["match_scores"]) == ("fasta", "+1/-3")
    assert (form["gapopen"], form["gapext"]) == ("-7", "-2")
    assert (form["expupperlim"], form["filter"]) == ("0.0001", "none")


def test_proteins_have_no_nucleotide_scores(catalogue):
    database = ["uniprotkb_swissprot"]
    forms = prepare("ncbiblast", "protein", database, ProteinParameters(), catalogue("ncbiblast"))
    form = forms.settings

    assert (form["program"], form["stype"], form["task"]) == ("blastp", "protein", "blastp")
    assert (form["matrix"], form["gapopen"], form["gapext"]) == ("BLOSUM62", "11", "1")
    assert (form["compstats"], "match_scores" in form) == ("F", False)


@pytest.mark.parametrize(
    ("old", "today"),
    [
        ("em_rel_std_inv", "em_std_inv"),
        ("em_rel_inv", "em_std_inv"),
        ("em_rel_est_inv", "em_std_inv"),
        ("em_rel", "em_std"),
        ("EMALL", "em_all"),
        ("em_cds_rel_inv", "em_cds_std_inv"),
    ],
)
def test_retired_databases_are_answered_with_todays(catalogue, old, today):
    with pytest.raises(ConfigError, match=f"was retired in 2020, .* today's is {today}$"):
        catalogue().database(old, "dna")


def test_a_name_that_never_was_is_no_retired_one():
    assert current_name("em_std_inv", ["em_std_inv"]) is None
    assert current_name("relatives", ["em_std_inv"]) is None


def test_a_misspelt_database_is_answered_with_the_nearest(catalogue):
    with pytest.raises(ConfigError, match=r"no database em_std_imv; the nearest .* em_std_inv,"):
        catalogue().database("em_std_imv", "dna")


def test_a_database_of_other_letters_is_refused(catalogue):
    with pytest.raises(ConfigError, match=r"Swiss-Prot\) holds no nucleotide sequences"):
        catalogue().database("uniprotkb_swissprot", "dna")
    with pytest.raises(ConfigError, match="holds no protein sequences"):
        catalogue().database("em_std_inv", "protein")


def test_what_was_told_is_remembered_for_a_day(double, clock, catalogue):
    first = catalogue().databases("dna")
    double.service.offer.change_databases(remove=["em_std_fun"])
    clock.advance(seconds=86_000)
    assert catalogue().databases("dna") == first

    clock.advance(seconds=1_000)
    assert "em_std_fun" not in [each.value for each in catalogue().databases("dna")]
    assert len(double.calls("parameterdetails")) == 2


def test_what_is_old_serves_where_the_service_is_silent(double, clock, catalogue, said):
    catalogue().database("em_std_inv", "dna")
    clock.advance(days=3)
    double.stop()

    assert catalogue().database("em_std_inv", "dna").label == "ENA Sequence Standard Invertebrate"
    assert said == ["EMBL-EBI does not answer; the values of database are those of 2026-11-21"]


def test_without_memory_and_without_the_service_there_is_a_sentence(double, catalogue):
    double.stop()

    with pytest.raises(Transient, match=r"does not say what it offers .* --against"):
        catalogue().databases("dna")


def test_a_damaged_memory_is_forgotten(catalogue, tmp_path, double):
    client = EbiClient("", base_url=double.url)
    ServiceMetadata(client, print, folder=tmp_path).values("exp")
    (kept,) = tmp_path.iterdir()
    kept.write_text('{"asked": "now", "values": 7}')

    assert len(ServiceMetadata(client, print, folder=tmp_path).values("exp")) == 13
    assert json.loads(kept.read_text())["values"][0]["value"] == "1e-200"


def test_a_cache_that_cannot_be_written_costs_no_search(double, tmp_path):
    (tmp_path / "cache").write_text("a file where a folder is wanted")
    client = EbiClient("", base_url=double.url)

    assert len(ServiceMetadata(client, print, folder=tmp_path / "cache").values("exp")) == 13


def test_rna_is_sent_as_dna(catalogue):
    forms = prepare("ncbiblast", "dna", ["em_std_inv"], SearchParameters(), catalogue())

    assert forms.form(Query("rna", "acgu"))["sequence"] == ">query\nACGT"


def test_letters_are_checked_before_anything_is_sent():
    check_query(Query("fine", "acgtunryswkmbdhv"), "dna")
    check_query(
        Query("fine", "MALRKGGLALALLLLSWVALGPRSLEGADPGTPGEAEGPACPAACVCSYDDDADELSVF"), "protein"
    )
    with pytest.raises(InputError, match=r"s7: letter 3, 'X', is no nucleotide, .*proteins"):
        check_query(Query("s7", "ACXGT"), "dna")
    with pytest.raises(InputError, match="these are nucleotides"):
        check_query(Query("n", "ACGTN" * 10), "protein")
    check_query(Query("short", "ACGT" * 10), "protein")
    with pytest.raises(InputError, match=r"letter 2, '\*', is no amino acid"):
        check_query(Query("p", "M*A"), "protein")


def test_the_key_tells_apart_what_is_a_different_search(catalogue):
    forms = prepare("ncbiblast", "dna", ["em_std_inv"], SearchParameters(), catalogue())
    others = prepare("ncbiblast", "dna", ["em_std_inv"], SearchParameters(dust=True), catalogue())
    one, two = Query("a", "ACGT"), Query("b", "ACGA")
    keys = {
        key_of("host", forms.form(one)),
        key_of("host", forms.form(two)),
        key_of("host", others.form(one)),
        key_of("elsewhere", forms.form(one)),
    }

    assert len(keys) == 4
    assert key_of("host", forms.form(Query("another name", "acgt"))) in keys


def test_a_dry_run_sends_nothing_and_says_what_would_be_sent(double, clock, tmp_path, said):
    """After one real search it is what that search sent, letter for letter."""
    client = EbiClient("me@ebi.ac.uk", base_url=double.url, sleep=clock.sleep, clock=clock)
    query = Query("mine", "ACGTACGTACGTACGTACGTACGT" * 4)
    with JobStore(tmp_path / "jobs.sqlite", clock) as store:
        backend = EbiBackend(client, store, "em_std_inv", 600, said.append)
        (dry,) = backend.dry_run([query], SearchParameters())
        assert double.exchanges == []
        assert store.jobs() == []
        assert any("was not asked what it offers" in sentence for sentence in said)

        backend.search([query], SearchParameters(), lambda done, total, what: None)
    (sent,) = double.submissions

    assert {name: values if name == "database" else values[0] for name, values in
            sent.parameters.items()} == dry["form"]  # fmt: skip
    assert dry["query"] == "mine"
    assert "mine" not in json.dumps(dry["form"])
    assert dry["request"] == f"POST {double.url}/ncbiblast/run"


@pytest.mark.parametrize("kind", ["json", "xml"])
def test_saved_details_are_read(kind):
    path = SHARED / "ebi" / "samples" / f"parameterdetails_database.{kind}"
    if not path.exists():
        missing(f"{path.name} among EMBL-EBI's saved replies")
    details = read_details(path.read_bytes())

    assert (details.name, details.type) == ("database", "STRING")
    mammal = details.values[0]
    assert (mammal.value, mammal.label) == ("em_std_mam", "ENA Sequence Standard Mammal")
    assert (mammal.default, mammal.contexts) == (False, ("nucleotide",))


def test_saved_types_are_read():
    path = SHARED / "ebi" / "samples" / "resulttypes.xml"
    if not path.exists():
        missing(f"{path.name} among EMBL-EBI's saved replies")

    assert read_types(path.read_bytes()) == ["out", "sequence", "ids", "xml", "json"]


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"<html></html>", b"<a><b/></a>", b"{"])
def test_details_that_are_none_are_unreadable(body):
    for read in (read_details, read_types):
        with pytest.raises(Unreadable):
            read(body)
