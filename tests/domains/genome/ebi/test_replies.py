"""EMBL-EBI's replies, real ones among them, say the right numbers when they are read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from seqforge.domains.genome.ebi.errors import Unreadable
from seqforge.domains.genome.ebi.replies import QueryContext, iso_date, organism_of, parse_reply
from seqforge.domains.genome.similarity.hits import (
    format_alignments,
    format_tsv,
    from_json,
    to_json,
)
from tests.conftest import SHARED, missing

ASKED = QueryContext("mine", 201, "ncbiblast", "blastn", "em_std_inv", "2026-11-21T09:00:00+00:00")
QUERY = "ACGTACGTACGTACGTACGT"


@pytest.fixture(scope="module")
def sample():
    def read(name: str) -> bytes:
        path = SHARED / "ebi" / "samples" / name
        if not path.exists():
            missing(f"{name} among EMBL-EBI's saved replies")
        return path.read_bytes()

    return read


def document(**hsp: object) -> dict[str, object]:
    """A small reply of our own: 20 columns, one mismatch, one gap in the hit."""
    part = {
        "hsp_num": 1,
        "hsp_score": 14,
        "hsp_bit_score": 28.2,
        "hsp_expect": 7.1e-05,
        "hsp_align_len": 20,
        "hsp_identity": 90.0,
        "hsp_positive": 90.0,
        "hsp_gaps": 5,
        "hsp_query_frame": "1",
        "hsp_hit_frame": "1",
        "hsp_strand": "plus/plus",
        "hsp_query_from": 3,
        "hsp_query_to": 22,
        "hsp_hit_from": 101,
        "hsp_hit_to": 119,
        "hsp_qseq": QUERY,
        "hsp_mseq": "||| ||||||| ||||||||",
        "hsp_hseq": "ACGAACGTACG-ACGTACGT",
        **hsp,
    }
    hit = {
        "hit_num": 1,
        "hit_db": "EM_INV",
        "hit_id": "AE014296",
        "hit_acc": "AE014296",
        "hit_desc": "AE014296.5 Drosophila melanogaster chromosome 3L &amp; more",
        "hit_url": "",
        "hit_os": "NA",
        "hit_len": 28110227,
        "hit_hsps": [part],
    }
    return {
        "program": "blastn",
        "version": "BLASTN 2.16.0+",
        "db_num": 297,
        "db_len": 32036512383,
        "end": "2025-03-03T12:39:02+00:00",
        "hits": [hit],
    }


def read(data: object):
    return parse_reply("json", json.dumps(data).encode(), ASKED)


def test_a_reply_is_read_whole():
    result = read(document())
    (hit,) = result.hits
    (hsp,) = hit.hsps

    assert result.version == "BLASTN 2.16.0+ (EMBL-EBI ncbiblast)"
    assert (result.database_length, result.database_sequences) == (32036512383, 297)
    assert result.when == "2025-03-03T12:39:02+00:00"
    assert (hit.database, hit.id, hit.length) == ("EM_INV", "AE014296", 28110227)
    assert hit.organism == "Drosophila melanogaster"
    assert hit.description.endswith("3L & more")
    assert (hsp.score, hsp.bit_score, hsp.evalue) == (14, 28.2, 7.1e-05)
    assert (hsp.identity, hsp.identity_count, hsp.align_length) == (90.0, 18, 20)
    assert (hsp.query_start, hsp.query_end, hsp.hit_start, hsp.hit_end) == (3, 22, 101, 119)
    assert from_json(json.dumps(to_json([result]))) == [result]


@pytest.mark.parametrize("gaps", [5, 1, None])
def test_gaps_are_counted_in_the_rows_for_the_reply_gives_a_percent(gaps):
    """Real replies give hsp_gaps in percent of the columns, where their schema promises none."""
    assert read(document(hsp_gaps=gaps)).hits[0].hsps[0].gaps == 1


def test_a_count_in_the_rows_that_the_percent_denies_is_not_believed():
    hsp = read(document(hsp_identity=75.0, hsp_positive=75.0)).hits[0].hsps[0]

    assert (hsp.identity, hsp.identity_count, hsp.positive_count) == (75.0, 15, 15)


def test_gaps_without_rows_come_from_the_places():
    rows = {"hsp_qseq": "", "hsp_mseq": "", "hsp_hseq": ""}
    hsp = read(document(**rows)).hits[0].hsps[0]

    assert (hsp.gaps, hsp.align_length, hsp.query_aligned) == (1, 20, "")
    assert (hsp.identity, hsp.identity_count) == (90.0, 18)


def test_numbers_may_be_text():
    texts = {
        name: str(value)
        for name, value in document()["hits"][0]["hit_hsps"][0].items()
        if isinstance(value, int | float)
    }

    assert read(document(**texts)) == read(document())


@pytest.mark.parametrize(
    ("strand", "frames", "signs"),
    [
        ("plus/minus", ("1", "-1"), (1, -1)),
        ("none/none", ("f", "r"), (1, -1)),
        ("none/none", ("r", "f"), (1, -1)),  # fasta turns the query round, we the hit
        ("", ("0", "0"), (1, 1)),
        ("none/none", ("0", "0"), (1, 1)),
    ],
)
def test_strands_are_told_in_words_or_frames(strand, frames, signs):
    said = {"hsp_strand": strand, "hsp_query_frame": frames[0], "hsp_hit_frame": frames[1]}
    hsp = read(document(**said)).hits[0].hsps[0]

    assert (hsp.query_strand, hsp.hit_strand) == signs


def test_a_query_that_was_turned_round_is_shown_as_it_was_given():
    turned = {
        "hsp_query_from": 22,
        "hsp_query_to": 3,
        "hsp_query_frame": "r",
        "hsp_hit_frame": "f",
        "hsp_strand": "none/none",
        "hsp_qseq": "AACCGTACGTRCGTACGTAC",
        "hsp_mseq": ": ::::::::: ::::::::",
        "hsp_hseq": "ATCCGTACGTR-GTACGTAC",
    }
    hsp = read(document(**turned)).hits[0].hsps[0]

    assert (hsp.query_strand, hsp.hit_strand) == (1, -1)
    assert (hsp.query_start, hsp.query_end, hsp.hit_start, hsp.hit_end) == (3, 22, 119, 101)
    assert hsp.query_aligned == "GTACGTACGYACGTACGGTT"
    assert hsp.midline == ":::::::: ::::::::: :"
    assert hsp.hit_aligned == "GTACGTAC-YACGTACGGAT"


def test_the_minus_strand_shows_in_the_order_of_places_too():
    turned = {"hsp_strand": "", "hsp_hit_from": 119, "hsp_hit_to": 101}
    turned |= {"hsp_query_frame": "", "hsp_hit_frame": ""}

    assert read(document(**turned)).hits[0].hsps[0].hit_strand == -1


def test_the_fasta_tools_rows_are_cut_to_the_overlap():
    """Its rows show what stands around the alignment, and its length counts that too."""
    shown = {
        "hsp_align_len": 27,
        "hsp_overlap": 20,
        "hsp_query_display_from": 0,
        "hsp_hit_display_from": 98,
        "hsp_qseq": "TTT" + QUERY + "GGGG",
        "hsp_mseq": "   " + "::: ::::::: ::::::::",
        "hsp_hseq": "CCC" + "ACGAACGTACG-ACGTACGT" + "AAAA",
    }
    data = document(**shown)
    del data["hits"][0]["hit_hsps"][0]["hsp_gaps"]
    hsp = read(data).hits[0].hsps[0]

    assert hsp.query_aligned == QUERY
    assert hsp.hit_aligned == "ACGAACGTACG-ACGTACGT"
    assert (hsp.align_length, hsp.identity_count, hsp.gaps, hsp.mismatches) == (20, 18, 1, 1)


@pytest.mark.parametrize(
    "breaks",
    [
        b"",
        b"{",
        json.dumps(document()).encode()[:400],
        b"<html><body><h1>502 Bad Gateway</h1></body></html>",
        b'{"hits": {}}',
        b'{"hits": [{"hit_hsps": []}]}',
        b'{"hits": [7]}',
        b'{"error": "no"}',
        b"[]",
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_reply_is_unreadable(breaks):
    for kind in ("json", "xml", "out"):
        with pytest.raises(Unreadable):
            parse_reply(kind, breaks, ASKED)


def test_no_hits_are_a_result():
    assert read({**document(), "hits": []}).hits == ()


def test_xml_that_declares_entities_is_not_expanded():
    entities = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    bomb = entities + b"<EBIApplicationResult>&b;</EBIApplicationResult>"

    with pytest.raises(Unreadable, match="declares a document type"):
        parse_reply("xml", bomb, ASKED)
    with pytest.raises(Unreadable, match="UTF-8"):
        parse_reply("xml", bomb.decode().encode("utf-16"), ASKED)


@pytest.mark.parametrize("namespace", ["", ' xmlns="http://www.ebi.ac.uk/schema"'])
def test_xml_with_and_without_what_is_optional(namespace):
    bare = (
        f"<EBIApplicationResult{namespace}><SequenceSimilaritySearchResult><hits>"
        '<hit id="X1"><alignments><alignment><expectation>0.5</expectation></alignment>'
        "</alignments></hit></hits></SequenceSimilaritySearchResult></EBIApplicationResult>"
    )
    (hit,) = parse_reply("xml", bare.encode(), ASKED).hits

    assert (hit.id, hit.accession, hit.hsps[0].evalue) == ("X1", "X1", 0.5)


@pytest.mark.parametrize(
    ("description", "organism"),
    [
        ("AL138972.1 Drosophila melanogaster BAC clone BACR25B3", "Drosophila melanogaster"),
        ("Platelet glycoprotein V OS=Mus musculus OX=10090 GN=Gp5", "Mus musculus"),
        ("PREDICTED: Mus musculus zinc finger (Zfp1), mRNA", "Mus musculus"),
        ("U00096.3 Escherichia coli str. K-12, complete genome", "Escherichia coli"),
        ("Wolbachia sp. wRi", "Wolbachia sp."),
        ("dna:chromosome chromosome:GRCh37:8:1:146364022:1 REF", ""),
        ("AC007323.5 Genomic sequence for Arabidopsis thaliana BAC", ""),
        ("NC_001422.1 Coliphage phiX174, complete genome", ""),
        ("BG000032.1 synthetic background 32", ""),
        ("Human DNA sequence from clone RP1", ""),
        ("", ""),
    ],
)
def test_the_organism_is_told_from_the_description_where_it_can_be(description, organism):
    assert organism_of(description) == organism


@pytest.mark.parametrize(
    ("said", "iso"),
    [
        ("2022-08-09T09:38:37+01:00", "2022-08-09T09:38:37+01:00"),
        ("21/05/2020 08:44:25 BST", "2020-05-21T08:44:25+01:00"),
        ("21/01/2020 08:44:25 GMT", "2020-01-21T08:44:25+00:00"),
        ("2022-08-09T09:38:37", "2022-08-09T09:38:37+00:00"),
        ("21/05/2020 08:44:25 XYZ", ""),
        ("yesterday", ""),
        ("", ""),
    ],
)
def test_dates_of_both_styles(said, iso):
    assert iso_date(said) == iso


def test_a_real_protein_reply(sample):
    result = parse_reply("json", sample("ncbiblast_blastp_2025.trunc.json"), ASKED)
    first, second = result.hits

    assert (result.program, result.version) == ("blastp", "BLASTP 2.16.0+ (EMBL-EBI ncbiblast)")
    assert (result.database_length, result.database_sequences) == (207621817, 572970)
    assert result.when == "2025-03-03T12:39:02+00:00"
    assert (first.id, first.accession, first.organism) == ("ALS_HUMAN", "P35858", "Homo sapiens")
    assert (first.hsps[0].bit_score, first.hsps[0].evalue) == (1214.9, 0.0)
    assert [hsp.evalue for hsp in second.hsps] == [4.3e-44, 8.1e-37]
    # The reply says 4 and 7: 16 of 449 columns are 3.6 %, 26 of 394 are 6.6 %.
    assert [hsp.gaps for hsp in second.hsps] == [16, 26]
    assert [hsp.identity_count for hsp in second.hsps] == [138, 120]
    assert [hsp.positive_count for hsp in second.hsps] == [215, 183]


def test_a_real_protein_reply_of_2019(sample):
    (hit,) = parse_reply("json", sample("ncbiblast_blastp_2019.trunc.json"), ASKED).hits

    assert (hit.organism, hit.length) == ("Mus musculus", 567)
    assert [hsp.identity_count for hsp in hit.hsps] == [138, 127]
    assert [hsp.gaps for hsp in hit.hsps] == [39, 21]
    assert (hit.hsps[1].hit_start, hit.hsps[1].hit_end) == (21, 421)


def test_a_real_nucleotide_reply(sample):
    result = parse_reply("json", sample("ncbiblast_blastn_ensembl_2022.trunc.json"), ASKED)
    (hit,), ((hsp,),) = result.hits, [hit.hsps for hit in result.hits]

    assert (result.database_length, result.when) == (32036512383, "2022-08-09T09:38:37+01:00")
    assert (hit.database, hit.id, hit.organism, hit.source) == ("EG", "8", "", "")
    assert (hsp.score, hsp.bit_score, hsp.evalue) == (178, 353.352, 5.3e-93)
    assert (hsp.identity, hsp.identity_count, hsp.gaps) == (100.0, 178, 0)
    assert (hsp.hit_start, hsp.hit_end, hsp.hit_strand) == (26218490, 26218667, 1)


def test_a_real_reply_of_fasta_counts_the_overlap(sample):
    asked = replace(ASKED, tool="fasta")
    whole, part = parse_reply("json", sample("fasta36_2019.trunc.json"), asked).hits
    hsp = part.hsps[0]

    assert (whole.hsps[0].identity_count, whole.hsps[0].evalue) == (605, 0.0)
    assert (hsp.align_length, hsp.identity, hsp.identity_count) == (362, 36.7, 133)
    assert (hsp.positive, hsp.positive_count, hsp.gaps) == (64.4, 233, 3)
    assert (hsp.query_start, hsp.query_end, hsp.hit_start, hsp.hit_end) == (123, 481, 54, 415)
    assert len(hsp.query_aligned) == len(hsp.midline) == len(hsp.hit_aligned) == 362
    assert hsp.query_aligned.startswith("NLCHLHLER")


def test_a_real_reply_of_psiblast(sample):
    result = parse_reply("json", sample("psiblast_2020.trunc.json"), ASKED)

    assert (result.version, result.hits[0].hsps[0].bit_score) == (
        "PSIBLAST 2.9.0+ (EMBL-EBI ncbiblast)",
        1214.91,
    )


def test_the_published_xml(sample):
    result = parse_reply("xml", sample("ebi_application_result_2007.xml"), ASKED)
    (hit,) = result.hits

    assert (result.program, result.database_length) == ("NCBI-blastp", 22913533)
    assert (hit.id, hit.accession, hit.length) == ("2REL_", "2REL_", 57)
    assert [hsp.bit_score for hsp in hit.hsps] == [58.9, 38.5]
    # Percents in whole numbers: 48 % of 49 columns, 36 % of 47.
    assert [hsp.identity_count for hsp in hit.hsps] == [24, 17]
    assert [hsp.positive_count for hsp in hit.hsps] == [27, 21]
    assert (hit.hsps[0].query_start, hit.hsps[0].hit_end) == (81, 56)


def test_json_and_xml_of_one_search_say_the_same(sample):
    one, other = (
        parse_reply(kind, sample(f"double_blastn.{kind}"), ASKED) for kind in ("json", "xml")
    )
    plain = [replace(hit, source="") for hit in one.hits]

    assert len(plain) == 6
    assert plain == list(other.hits)
    assert plain[0].hsps[0].identity_count == 185
    assert [hit.hsps[0].hit_strand for hit in plain] == [1, 1, -1, -1, 1, 1]


def test_the_report_of_a_program_of_fasta(sample):
    result = parse_reply("out", sample("fasta36_local.out.txt"), replace(ASKED, tool="fasta"))
    best = result.hits[0].hsps[0]

    assert (result.database_length, result.database_sequences) == (1215161, 46)
    assert [hit.id for hit in result.hits] == [
        "AL138972", "BG000032", "BG000024", "AL138972", "NC_000932",
    ]  # fmt: skip
    assert [hit.hsps[0].bit_score for hit in result.hits] == [235.2, 30.5, 25.0, 22.2, 21.7]
    assert [hit.hsps[0].evalue for hit in result.hits] == [3.7e-63, 0.16, 7.1, 8.1, 8.1]
    assert result.hits[0].description.endswith("BAC clone BACR25B3")
    assert (best.identity, best.identity_count, best.align_length, best.gaps) == (92.6, 187, 202, 3)
    assert (best.query_start, best.query_end, best.hit_start, best.hit_end) == (
        1,
        201,
        50001,
        50200,
    )
    assert result.hits[3].hsps[0].hit_strand == -1


def test_a_real_report_of_ssearch(sample):
    result = parse_reply("out", sample("result_out_ssearch36_2015.trunc.txt"), ASKED)

    assert len(result.hits) == 19
    assert {(hit.hsps[0].bit_score, hit.hsps[0].evalue) for hit in result.hits} == {(774.7, 0.0)}
    assert (result.hits[0].database, result.hits[0].id) == ("PDB", "3MIN_A")
    assert result.hits[0].hsps[0].identity_count == 491


def test_what_has_no_rows_still_makes_reports(sample):
    result = parse_reply("out", sample("fasta36_local.out.txt"), ASKED)

    assert "AL138972\t92.600\t202\t" in format_tsv([result])
    assert "Identities = 187/202 (93%)" in format_alignments(result)
