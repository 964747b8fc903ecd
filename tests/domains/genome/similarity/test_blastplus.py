"""The blast+ backend: real blastn and makeblastdb, and programs that fail, hang or are missing."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest

from seqforge.base.folders import cache_root
from seqforge.base.process import find_program
from seqforge.domains.genome.search import search_files
from seqforge.domains.genome.similarity import blastplus
from seqforge.domains.genome.similarity.backends import LocalBackend
from seqforge.domains.genome.similarity.blastplus import BlastPlusBackend, run_program
from seqforge.domains.genome.similarity.hits import Query, from_json, to_json
from seqforge.domains.genome.similarity.library import measure
from seqforge.domains.genome.similarity.parameters import SearchParameters
from seqforge.errors import InputError, ProgramError
from tests.conftest import ROOT
from tests.patience import PATIENCE, wait_for
from tests.small_runs import DAMAGES

COMPLEMENT = str.maketrans("ACGT", "TGCA")
GENBANK = """LOCUS       PLASMID                  120 bp    DNA     linear   UNK 01-JAN-1980
DEFINITION  a plasmid.
ACCESSION   P1
VERSION     P1.1
FEATURES             Location/Qualifiers
ORIGIN
{}
//
"""

ABOUT = ("query_id", "query_length", "database", "database_length", "database_sequences", "masked")
HSP = ("score", "query_strand", "hit_strand", "query_start", "query_end", "hit_start", "hit_end",
       "align_length", "gaps", "identity_count")  # fmt: skip


@pytest.fixture(autouse=True)
def programs(require_program):
    return require_program("blastn"), require_program("makeblastdb")


def search(against, queries, parameters=None, heard=None):
    backend = BlastPlusBackend([against] if isinstance(against, Path) else against)
    told = [] if heard is None else heard
    return backend.search(
        queries, parameters or SearchParameters(), lambda *how_far: told.append(how_far)
    )


def databases():
    return sorted(path for path in (cache_root() / "blastdb").iterdir() if path.is_dir())


def test_hsps_are_those_of_the_local_search(fasta, random_bases, mutated):
    """On both strands, with gaps: places, letters, scores, counts; in the same model."""
    unit, other = random_bases(300), random_bases(200)
    gapped = unit[:80] + unit[84:150] + "ACGTTT" + unit[150:]
    library = fasta(
        random_bases(800) + unit + random_bases(300) + gapped.translate(COMPLEMENT)[::-1],
        "N" * 40 + random_bases(500) + mutated(other, 0.08) + "RYN" + random_bases(400),
    )
    queries = [Query("one", unit.lower()), Query("two", other.replace("T", "U"))]
    queries.append(Query("three", gapped.translate(COMPLEMENT)[::-1]))
    parameters = SearchParameters(evalue=1e-5)

    theirs = search(library, queries, parameters)
    ours = LocalBackend([library]).search(queries, parameters, lambda *how_far: None)

    assert [len(result.hits[0].hsps) for result in theirs] == [2, 1, 2]
    for result, expected in zip(theirs, ours, strict=True):
        assert (result.program, result.version[:2]) == ("blastn", "2.")
        assert [getattr(result, key) for key in ABOUT] == [getattr(expected, key) for key in ABOUT]
        assert [replace(hit, hsps=()) for hit in result.hits] == [
            replace(hit, hsps=()) for hit in expected.hits
        ]
        for hit, like in zip(result.hits, expected.hits, strict=True):
            for hsp, exact in zip(hit.hsps, like.hsps, strict=True):
                assert hsp.bit_score == pytest.approx(exact.bit_score, rel=1e-5)
                assert hsp.evalue == pytest.approx(exact.evalue, rel=1e-4)
                assert abs(hsp.hit_start - hsp.hit_end) > 150
                assert hsp.gaps == hsp.query_aligned.count("-") + hsp.hit_aligned.count("-")
                assert hsp.identity_count == hsp.positive_count == hsp.midline.count("|")
                assert hsp.identity == 100 * hsp.identity_count / hsp.align_length
                assert [getattr(hsp, key) for key in HSP] == [getattr(exact, key) for key in HSP]
    assert theirs[0].parameters["task"] == "blastn"
    assert from_json(json.loads(json.dumps(to_json(theirs)))) == theirs


def test_names_may_be_anything_and_queries_without_bases_find_nothing(fasta, random_bases):
    library = fasta(random_bases(1000))
    bases = library.read_text().split("\n")[1]
    names = ["same", "same", "", "a\tb ü > gi|5|x|", "1", "empty", "only N", "short"]
    parts = [bases[:50], bases[100:160], bases[200:270], bases[300:380], bases[400:490]]

    found = search(
        library, [Query(*pair) for pair in zip(names, [*parts, "", "N" * 30, "AC"], strict=True)]
    )

    assert [result.query_id for result in found] == names
    assert [result.query_length for result in found] == [50, 60, 70, 80, 90, 0, 30, 2]
    assert [result.hits[0].hsps[0].score for result in found[:5]] == [50, 60, 70, 80, 90]
    assert [result.hits for result in found[5:]] == [(), (), ()]
    assert {(result.database_length, result.database_sequences) for result in found} == {(1000, 1)}

    nothing = search(library, [Query("empty", "")])[0]
    assert (nothing.hits, nothing.database_length, nothing.masked) == ((), 1000, 0)


def test_a_library_is_read_by_the_rules_of_the_local_search(tmp_path, random_bases):
    """Packed, GenBank, several files, odd letters and names; nothing of it is lost or added."""
    one, other, third = random_bases(400), random_bases(120), random_bases(90)
    packed, plasmid = tmp_path / "my lib.fa.gz", tmp_path / "plasmid.gb"
    packed.write_bytes(
        gzip.compress(
            f">x|y|1 first; one\x01two\n{one[:200].lower()}\n\n{one[200:].replace('T', 'U')}NNRY-\n"
            f">empty\n>x|y|1 again\n{third}\n".encode("latin-1")
        )
    )
    lines = [other[i : i + 60].lower() for i in range(0, 120, 60)]
    origin = "\n".join(f"{1 + 60 * i:9} {line}" for i, line in enumerate(lines))
    plasmid.write_text(GENBANK.format(origin))

    found = search([packed, plasmid], [Query("q", one), Query("p", other), Query("t", third)])

    size = measure([packed, plasmid])
    assert {(r.database_length, r.database_sequences) for r in found} == {
        (size.letters, size.sequences)
    }
    hits = [result.hits[0] for result in found]
    assert [hit.id for hit in hits] == ["x|y|1", "P1.1", "x|y|1"]
    assert [hit.description for hit in hits] == ["first; one\\x01two", "a plasmid", "again"]
    assert [hit.database for hit in hits] == ["my lib", "plasmid", "my lib"]
    assert [hit.source for hit in hits] == [str(packed), str(plasmid), str(packed)]
    assert [hit.length for hit in hits] == [404, 120, 90]
    assert [hit.hsps[0].score for hit in hits] == [400, 120, 90]
    assert found[0].database == "my lib.fa.gz plasmid.gb"


def test_limits_and_masking_are_passed_on(fasta, random_bases):
    unit = random_bases(100)
    library = fasta(*(random_bases(50) + unit[: 30 + 5 * i] * 3 for i in range(12)), "CA" * 60)
    queries = [Query("q", unit), Query("low", "CA" * 40)]

    few, low = search(library, queries, SearchParameters(max_hits=3, max_hsps=2))
    assert [hit.id for hit in few.hits] == ["s12", "s11", "s10"]
    assert {len(hit.hsps) for hit in few.hits} == {2}
    assert low.best_evalue < 1e-30
    strict, low = search(library, queries, SearchParameters(evalue=1e-30, dust=True))
    assert 0 < len(strict.hits) < 12
    assert low.hits == ()
    assert low.masked == 1
    dear = search(library, queries, SearchParameters(2, -3, 4, 4))[0].hits[0].hsps[0]
    assert (dear.score, dear.identity_count) == (170, 85)


def test_many_queries_are_given_in_turns(fasta, random_bases, monkeypatch):
    monkeypatch.setattr("seqforge.domains.genome.similarity.blastplus._BATCH", 300)
    library, heard = fasta(random_bases(2000)), []
    bases = library.read_text().split("\n")[1]
    queries = [Query("q", bases[100 * i : 100 * i + 60 + i]) for i in range(10)]

    found = search(library, queries, heard=heard)

    assert [result.hits[0].hsps[0].hit_start for result in found] == list(range(1, 1001, 100))
    done = [done for done, total, what in heard if "blastn" in what]
    assert done == [60 + 61 + 62 + 63 + 64, 645]
    assert heard[-1][:2] == (645, 645)


def test_a_database_is_made_once_for_what_is_in_the_files(tmp_path, fasta, random_bases):
    library, heard = fasta(random_bases(500), random_bases(80)), []
    query = [Query("q", library.read_text().split("\n")[1][:90])]

    search(library, query, heard=heard)
    assert any("making" in what for *_, what in heard)
    (made,) = databases()
    assert sorted(path.name for path in made.iterdir() if "library" not in path.name) == [
        "about.json", "names.jsonl",
    ]  # fmt: skip

    elsewhere, heard = tmp_path / "other.fasta", []
    elsewhere.write_bytes(library.read_bytes())
    again = search(elsewhere, query, heard=heard)[0]
    assert not any("making" in what for *_, what in heard)
    assert (again.hits[0].source, again.hits[0].database) == (str(elsewhere), "other")

    library.write_text(library.read_text().replace(">s1", ">t1"))
    assert search(library, query)[0].hits[0].id == "t1"
    assert len(databases()) == 2


def test_a_damaged_database_is_made_again(fasta, random_bases):
    library = fasta(random_bases(500))
    query = [Query("q", library.read_text().split("\n")[1][:90])]
    good = search(library, query)[0].hits
    (made,) = databases()
    kinds = cycle(DAMAGES.values())
    for name in ("about.json", "names.jsonl", "library.nsq"):
        path = made / name
        path.write_bytes(next(kinds)(path.read_bytes()))
        heard = []

        assert search(library, query, heard=heard)[0].hits == good
        assert any("making" in what for *_, what in heard), name
        assert databases() == [made]


def test_several_at_once_make_one_database(fasta, random_bases):
    library = fasta(random_bases(300_000))
    query, heard = [Query("q", library.read_text().split("\n")[1][:90])], []

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: search(library, query, heard=heard)[0], range(4)))

    assert {result.hits[0].hsps[0].score for result in found} == {90}
    assert sum("making" in what for *_, what in heard) == 1
    assert len(databases()) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b">x\nACGT\n" * 100, mtime=0)[:-20], r"x\.fa\.gz: is not a whole \.gz file"),
        (gzip.compress(b">x\n\n", mtime=0), r"x\.fa\.gz: holds no bases"),
        (
            gzip.compress(b">x\n" + b"ACGT" * 99 + b"\n>y\nACGTE\n", mtime=0),
            "'E' is not a nucleotide",
        ),
    ],
)
def test_an_unusable_library_is_one_sentence_and_leaves_nothing(tmp_path, content, message):
    path = tmp_path / "x.fa.gz"
    path.write_bytes(content)

    with pytest.raises(InputError, match=message) as caught:
        search(path, [Query("q", "ACGT")])
    assert "\n" not in str(caught.value)
    assert databases() == []
    with pytest.raises(InputError, match=r"gone\.fa: there is no such file"):
        search(tmp_path / "gone.fa", [Query("q", "ACGT")])
    with pytest.raises(InputError, match="no library"):
        search([], [Query("q", "ACGT")])


def test_databases_nobody_uses_make_room(fasta, random_bases, monkeypatch):
    """And nothing else that lies there."""
    cache = cache_root() / "blastdb"
    now = time.time()
    used = {days: f"{days:032x}" for days in (1, 3, 10, 31, 400)}
    for name, days in [*((name, days) for days, name in used.items()), ("building-x", 3),
                       ("mine", 400)]:  # fmt: skip
        (cache / name).mkdir(parents=True)
        (cache / name / "library.nsq").write_bytes(b"x" * 1000)
        os.utime(cache / name, (now - days * 86400,) * 2)
    query = [Query("q", "ACGTACGTAGCTAG")]
    before = {path.name for path in databases()}

    search(fasta(random_bases(100)), query)
    gone = before - {path.name for path in databases()}
    assert gone == {used[31], used[400], "building-x"}

    monkeypatch.setattr(blastplus, "_KEPT_BYTES", 3000)
    search(fasta(random_bases(100)), query)
    kept = {path.name for path in databases()}
    assert kept & before == {used[1], "mine"}


def test_blanks_in_paths_do_not_matter(tmp_path, fasta, random_bases, monkeypatch):
    """BLAST+ takes a blank in a database's path for the end of it."""
    monkeypatch.setenv("SEQFORGE_CACHE", str(tmp_path / "my own cache"))
    samples = fasta(random_bases(100), name="some samples.fa")
    backend = BlastPlusBackend([fasta(random_bases(50) + samples.read_text().split("\n")[1])])

    report = search_files([samples], backend, tmp_path / "what was found")

    assert report.sentence().startswith("1 of 1 samples have a hit")
    assert report.results[0].hits[0].hsps[0].hit_start == 51
    assert "low-complexity" in report.table()
    assert "low-complexity %" in report.summary()["table"][0]


def test_missing_programs_are_named_with_how_to_get_them(tmp_path, fasta, monkeypatch, programs):
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ProgramError, match=r"blastn is not on PATH.*apt install ncbi-blast\+"):
        BlastPlusBackend([fasta("ACGT")])
    (tmp_path / "bin" / "blastn").symlink_to(programs[0])
    with pytest.raises(ProgramError, match="makeblastdb is not on PATH"):
        BlastPlusBackend([fasta("ACGT")])
    assert find_program("blastn", "") == str(tmp_path / "bin" / "blastn")


def test_a_blastn_that_fails_says_why_in_one_sentence(tmp_path, fasta, programs):
    command = [programs[0], "-db", "missing", "-query", str(fasta("ACGTACGTAGCTAG"))]

    with pytest.raises(ProgramError, match=r"^blastn failed \(exit status 2: BLAST Data") as caught:
        run_program(command, tmp_path, PATIENCE)
    assert "\n" not in str(caught.value)


def test_answers_that_cannot_be_read_are_one_sentence(tmp_path, fasta, monkeypatch, programs):
    """An old blastn, or one of another make, that takes the options and writes something else."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "makeblastdb").symlink_to(programs[1])
    other = tmp_path / "bin" / "blastn"
    other.write_text(
        f"#!{sys.executable}\nimport sys\nprint('blastn: 2.2.3')\n"
        "if '-out' in sys.argv: open(sys.argv[sys.argv.index('-out') + 1], 'w').write('<html>')\n"
    )
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    with pytest.raises(ProgramError, match=r"blastn 2\.2\.3 wrote JSON that cannot be read"):
        search(fasta("ACGTAGCATT"), [Query("q", "ACGTAGCATT")])
    other.chmod(0o644)
    with pytest.raises(ProgramError, match="cannot be run"):
        run_program([str(other)], tmp_path, 1)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended may stay in the table for a while."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


SLEEPER = ["/bin/sh", "-c", "/bin/cat > /dev/null; echo $$ > pid; exec /bin/sleep 86400"]
"""Tells its number when its input has come to an end: whoever started it waits for it by then."""


def sleeping(folder: Path) -> int:
    """The process's number, once it has written it down."""
    pid = folder / "pid"
    wait_for(lambda: pid.exists() and pid.read_text())
    return int(pid.read_text())


def test_a_program_that_takes_too_long_is_ended(tmp_path):
    """It would sleep for a day. Where the machine is busy it may be ended before it began."""
    with pytest.raises(ProgramError, match=r"had not finished after 1 s and was ended"):
        run_program(SLEEPER, tmp_path, 1)

    pid = tmp_path / "pid"
    assert not pid.exists() or not alive(int(pid.read_text()))


def test_ctrl_c_ends_the_program_too(tmp_path):
    """Also where the terminal tells only us."""
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from seqforge.domains.genome.similarity.blastplus import run_program\n"
        f"run_program({SLEEPER!r}, Path.cwd(), 86400)\n"
    )
    ours = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    child = sleeping(tmp_path)
    assert alive(child)
    ours.send_signal(signal.SIGINT)
    _, said = ours.communicate(timeout=PATIENCE)

    assert b"KeyboardInterrupt" in said
    assert not alive(child)


def test_a_search_that_was_killed_leaves_nothing_that_counts(
    tmp_path, fasta, random_bases, programs
):
    """While its database was made: the next one makes it."""
    library = fasta(random_bases(613))  # no other test has such a one: it is not cached
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "blastn").symlink_to(programs[0])
    hangs = tmp_path / "bin" / "makeblastdb"
    version = subprocess.run([programs[1], "-version"], capture_output=True, text=True).stdout
    hangs.write_text(
        f"#!{sys.executable}\nimport os, sys\n"
        f"if '-version' in sys.argv: sys.exit(print({version!r}))\n"
        f"os.chdir({str(tmp_path)!r}); os.execv('/bin/sh', {SLEEPER!r})\n"
    )
    hangs.chmod(0o755)
    script = (
        "from pathlib import Path\n"
        "from seqforge.domains.genome.similarity.blastplus import BlastPlusBackend\n"
        "from seqforge.domains.genome.similarity.hits import Query\n"
        "from seqforge.domains.genome.similarity.parameters import SearchParameters\n"
        f"BlastPlusBackend([Path({str(library)!r})]).search(\n"
        "    [Query('q', 'ACGT')], SearchParameters(), lambda done, total, what: None)\n"
    )
    ours = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PATH": str(tmp_path / "bin"), "PYTHONPATH": str(ROOT)},
    )
    child = sleeping(tmp_path)
    ours.kill()
    ours.wait()
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: not alive(child))
    (left,) = databases()

    result = search(library, [Query("q", library.read_text().split("\n")[1][:90])])[0]

    assert result.hits[0].hsps[0].score == 90
    assert len(set(databases()) - {left}) == 1
