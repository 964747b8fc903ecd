"""``seqforge blast`` on the command line: at home, with blastn, and at a double of EMBL-EBI."""

import gzip
import json
import os
import random
import re
import subprocess
import sys
from contextlib import suppress

import pytest

from seqforge.base.paths import data_folder
from seqforge.domains.genome.ebi.settings import EbiSettings
from seqforge.domains.genome.nucleotides import clean
from tests.ebi_double import EbiDouble, Says
from tests.patience import PATIENCE

SLICE = data_folder() / "dm3-chr2R-slice.fa.gz"
LINES = 220_000 // 60


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """Nobody's settings, cache or address plays a part."""
    monkeypatch.setenv("SEQFORGE_CONFIG", str(tmp_path / "config"))
    monkeypatch.delenv("SEQFORGE_EMAIL", raising=False)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The first 220,000 bases of the slice."""
    path = tmp_path_factory.mktemp("library") / "slice.fa"
    path.write_bytes(
        b"\n".join(gzip.decompress(SLICE.read_bytes()).splitlines()[: 1 + LINES]) + b"\n"
    )
    return path


@pytest.fixture(scope="module")
def service(library):
    with EbiDouble(library) as double:
        yield double


@pytest.fixture
def samples(tmp_path, library):
    """One sequence of the library, one of the other strand with changes, one of nowhere."""
    text = clean("".join(library.read_text().split("\n")[1:]))
    rng = random.Random(4)
    other = text[200_000:200_300][::-1].translate(str.maketrans("ACGT", "TGCA"))
    other = "".join(rng.choice("ACGT") if rng.random() < 0.1 else base for base in other)
    nowhere = "".join(rng.choices("ACGT", k=300))
    path = tmp_path / "s.fa"
    path.write_text(f">here\n{text[50_000:50_300]}\n>there\n{other}\n>nowhere\n{nowhere}\n")
    return path


def best(folder):
    document = json.loads((folder / "hits.json").read_text())
    return {
        result["query_id"]: result["hits"][0]["hsps"][0] if result["hits"] else None
        for result in document["results"]
    }


def test_all_backends_find_the_same_with_the_same_scores(
    seqforge, samples, library, service, tmp_path
):
    ways = {
        "local": ["--against", library],
        "blastn": ["--against", library, "--backend", "blast+"],
        "ebi": ["--email", "a@ebi.ac.uk", "--base-url", service.url],
    }
    for name, options in ways.items():
        result = seqforge("blast", samples, *options, "--out", tmp_path / name)
        assert result.exit_code == 0, result.stderr
        assert "rewards and gaps: 1,-3 and 5,2; low-complexity sequence not masked" in result.stdout
    found = {name: best(tmp_path / name) for name in ways}

    for sample in ("here", "there"):
        first, *others = (found[name][sample] for name in ways)
        for other in others:
            assert other["score"] == first["score"]
            assert other["evalue"] == pytest.approx(first["evalue"], rel=0.06)  # two digits
            assert (other["hit_start"], other["hit_end"]) == (first["hit_start"], first["hit_end"])
    assert found["local"]["here"]["identity_count"] == 300
    assert found["ebi"]["there"]["hit_strand"] * found["ebi"]["there"]["query_strand"] == -1


def test_without_an_address_nothing_is_sent_there(seqforge, samples, service):
    before = len(service.exchanges)
    result = seqforge("blast", samples, "--backend", "ebi", "--base-url", service.url)

    assert result.exit_code == 1
    assert "give --email" in result.stderr
    assert "--against FASTA" in result.stderr
    assert "3 sequences (900 letters)" in result.stderr
    assert len(service.exchanges) == before


def test_a_dry_run_shows_what_would_be_sent_and_sends_no_sequence(seqforge, samples, service):
    before = len(service.submissions)
    result = seqforge("blast", samples, "--dry-run", "--base-url", service.url)

    assert result.exit_code == 0, result.stderr
    requests = json.loads(result.stdout)
    assert [request["query"] for request in requests] == ["here", "there", "nowhere"]
    form = requests[0]["form"]
    assert (form["match_scores"], form["gapopen"], form["gapext"]) == ("1,-3", "5", "2")
    assert (form["filter"], form["exp"], form["database"]) == ("F", "10", ["em_std_inv"])
    assert len(service.submissions) == before


def test_proteins_are_read_however_their_lines_stand(seqforge, tmp_path, service):
    path = tmp_path / "p.fa"
    path.write_bytes(b"\n; made by hand\n>p gene\r\nMKVL aag*\r\n\r\n>\xc3\xa9\nMK\nVL\n")
    result = seqforge("blast", path, "--protein", "--dry-run", "--base-url", service.url)
    assert result.exit_code == 0, result.stderr
    sent = {r["query"]: r["form"]["sequence"].split("\n")[1] for r in json.loads(result.stdout)}
    assert sent == {"p": "MKVLAAG", "é": "MKVL"}


def test_the_same_command_again_asks_the_service_nothing(seqforge, samples, service, tmp_path):
    command = ["blast", samples, "--email", "a@ebi.ac.uk", "--base-url", service.url]
    command += ["--out", tmp_path / "out"]
    assert seqforge(*command).exit_code == 0
    kept, before = (tmp_path / "out" / "hits.tsv").read_bytes(), len(service.submissions)

    assert seqforge(*command).exit_code == 0

    assert len(service.submissions) == before
    assert (tmp_path / "out" / "hits.tsv").read_bytes() == kept


def test_at_the_deadline_it_says_how_to_go_on_and_the_same_command_does(
    seqforge, samples, library, tmp_path
):
    with EbiDouble(library, [Says("QUEUED", times=2)]) as double:
        command = ["blast", samples, "--email", "a@ebi.ac.uk", "--base-url", double.url]
        command += ["--out", tmp_path / "out"]
        early = seqforge(*command, "--deadline", "1s")
        assert early.exit_code == 3
        assert "run the same command again" in early.stderr

        late = seqforge(*command)

        assert late.exit_code == 0, late.stderr
        assert len(double.accepted) == 3


def test_a_retired_database_is_answered_with_todays(seqforge, samples, service):
    result = seqforge("blast", samples, "--email", "a@ebi.ac.uk", "--base-url", service.url,
                      "--database", "em_rel_inv")  # fmt: skip
    assert result.exit_code == 1
    assert "em_std_inv" in result.stderr


def test_the_settings_address_is_a_standing_yes(seqforge, samples, service, tmp_path):
    EbiSettings(email="a@ebi.ac.uk", database="em_std_inv", base_url=service.url).save()
    result = seqforge("blast", samples, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert service.submissions[-1].parameters["email"] == ["a@ebi.ac.uk"]


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are another thing there")
@pytest.mark.parametrize("answer", ["a@ebi.ac.uk", ""])
def test_on_a_terminal_the_address_is_asked_for_once_and_remembered(
    samples, service, tmp_path, answer
):
    import pty

    EbiSettings(base_url=service.url).save()
    before = len(service.submissions)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "seqforge", "blast", str(samples), "--out", str(tmp_path / "out")],
        stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True, env=dict(os.environ),
    )  # fmt: skip
    os.close(theirs)
    shown, seen = b"", 0
    for asked, said in ((b"[here]:", "there"), (b"[here]:", "EBI"), (b"send nothing)", answer)):
        while asked not in shown[seen:]:
            shown += os.read(ours, 1024)
        seen = len(shown)
        os.write(ours, f"{said}\n".encode())
    with suppress(OSError):  # until nobody is at the other end
        while more := os.read(ours, 1024):
            shown += more
    process.communicate(timeout=PATIENCE)
    os.close(ours)

    assert re.search(rb"Sending 3 sequences \(900 letters\) to 127.0.0.1", shown)
    if answer:
        assert process.returncode == 0
        assert EbiSettings.load().email == answer
        assert len(service.submissions) == before + 3
    else:
        assert process.returncode == 0, "the search is made here"
        assert EbiSettings.load().email is None
        assert len(service.submissions) == before


def test_controls_at_the_service_are_counted_before_they_are_sent(
    seqforge, samples, service, tmp_path
):
    result = seqforge("blast", samples, "--base-url", service.url, "--controls", "shuffle",
                      "--backend", "ebi")  # fmt: skip
    assert "6 sequences (1,800 letters)" in result.stderr
    shown = seqforge("blast", samples, "--base-url", service.url, "--controls", "shuffle",
                     "--dry-run")  # fmt: skip
    assert len(json.loads(shown.stdout)) == 6


def test_sequences_of_one_name_are_told_apart(seqforge, samples, library, tmp_path):
    text = samples.read_text()
    samples.write_text(re.sub(r">\w+", ">same", text))
    options = ["--against", library, "--controls", "shuffle", "--out", tmp_path / "out", "--json"]
    result = seqforge("blast", samples, *options)
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert [one["query_id"] for one in document["results"]] == ["same", "same.2", "same.3"]
    assert len(set(document["controls"]["best_evalues"]["shuffle"])) > 3


def test_controls_say_whether_chance_finds_as_much(seqforge, samples, library, tmp_path):
    result = seqforge("blast", samples, "--against", library, "--controls", "shuffle,markov",
                      "--out", tmp_path / "out")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "shuffles of the samples" in result.stdout
    rows = (tmp_path / "out" / "controls.tsv").read_text().splitlines()
    assert len(rows) > 3
    assert (tmp_path / "out" / "controls.svg").read_text().startswith("<svg")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Beside what chance finds" in page
    assert "Hits along here" in page
    assert str(tmp_path / "out" / "report.html") in result.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--backend", "blast+", "--email", "a@b.org"], "--email is for EMBL-EBI"),
        (["--backend", "local", "--against", SLICE.parent], "is a folder but not a run"),
        (["--controls", "luck", "--against", SLICE], "shuffle, markov, real"),
        (["--controls", "real", "--against", SLICE], "--held-out"),
        (["--held-out", SLICE, "--against", SLICE], "--controls real"),
        (["--backend", "ebi", "--against", SLICE], "--against is a local library"),
        (["--against", SLICE, "--dry-run"], "--dry-run is for EMBL-EBI"),
        (["--against", SLICE, "--email", "a@b.org"], "--email is for EMBL-EBI"),
        (["--protein", "--controls", "shuffle"], "made of nucleotides"),
        (["--against", SLICE, "--evalue", "1e-300"], "between 1e-250 and 1e12"),
        (["--against", SLICE, "--evalue", "inf"], "between 1e-250 and 1e12"),
        (["--email", "a@b.org", "--base-url", "http://example.org/x"], "not the address of a"),
        (["--email", "a@b.org", "--base-url", "http://[::1"], "not the address of a"),
        (["--email", "nobody", "--base-url", "http://127.0.0.1:9"], "not an e-mail address"),
        (["--email", "a@b.org", "--deadline", "soon"], "--deadline"),
    ],
)
def test_what_does_not_fit_is_one_sentence(seqforge, samples, options, said):
    result = seqforge("blast", samples, *options)
    assert result.exit_code == 1
    assert said in result.stderr


def run_of(folder, *options):
    fasta = folder / "tiny.fa"
    fasta.write_text(">one\n" + "".join(random.Random(1).choices("ACGT", k=20_000)) + "\n")
    return ["run", "genome", "--fasta", fasta, "--budget", "20steps", "--hidden-size", 8,
            "--batch-size", 4, "--seq-len", 32, "--set", "sampling.length=200", "--set",
            "sampling.temperatures=[1.0]", "--out", folder / "run", *options]  # fmt: skip


@pytest.mark.parametrize("backend", ["ebi", "blast+"])
def test_a_run_looks_for_its_samples_elsewhere_too(seqforge, service, tmp_path, backend):
    EbiSettings(email="a@ebi.ac.uk", base_url=service.url).save()
    before = len(service.submissions)

    result = seqforge(*run_of(tmp_path, "--blast", backend))

    assert result.exit_code == 0, result.stderr
    found = json.loads((tmp_path / "run" / "summary.json").read_text())["similarity"]
    assert len(found["table"]) == 3
    if backend == "ebi":
        assert found["library"] == "em_std_inv"
        assert len(service.submissions) == before + 3, "the samples, and no controls unasked"
    else:
        assert found["controls"]["table"]


def test_a_run_that_would_send_asks_before_it_trains(seqforge, tmp_path):
    result = seqforge(*run_of(tmp_path, "--blast", "ebi"))
    assert result.exit_code == 1
    assert "needs an e-mail address in the settings" in result.stderr
    assert not (tmp_path / "run").exists()
