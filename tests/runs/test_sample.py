"""The samples of a run: each temperature has its own random numbers, and all can be drawn again."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from seqforge.cli.main import app
from seqforge.core.config import RunConfig
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.errors import ConfigError
from seqforge.reporting.summary import RunSummary
from seqforge.runs.folder import RunFolder
from seqforge.runs.sample import _options, _path
from tests.small_runs import material, short


def call(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory, new_cache):
    """A run of genomes with its defaults, but small; and what it said in the end."""
    folder = tmp_path_factory.mktemp("drawing")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("SEQFORGE_CACHE", str(new_cache()))
        said = call("run", "genome", "--fasta", material("genome", folder, 2), *short(), "--seed",
                    5, "--out", "run", "--set", "sampling.count=2",
                    "--set", "search.max_hsps=1")  # fmt: skip
    return folder / "run", said


def samples(run, temperature):
    records = (run / "samples" / f"samples-t{temperature}.fa").read_text().split(">")[1:]
    return [record.split("\n", 1) for record in records]


def test_samples_of_several_temperatures_share_no_random_numbers(run):
    """A network that has learnt next to nothing draws the same letters from the same numbers."""
    folder, _ = run
    one, other = (samples(folder, t) for t in (0.8, 1.0))
    for (_, mine), (_, theirs) in zip(one, other, strict=True):
        same = sum(a == b for a, b in zip(mine, theirs, strict=True)) / len(mine)
        assert same < 0.6


def test_the_seed_of_each_is_said_and_draws_it_again(run):
    folder, _ = run
    summary = json.loads((folder / "summary.json").read_text())
    assert RunSummary.model_validate(summary).model_dump(mode="json") == summary
    rows = summary["samples"]
    assert [(row["temperature"], row["seed"]) for row in rows] == [(0.5, 5), (0.8, 6), (1.0, 7)]
    for row in rows:
        written = (folder / row["file"]).read_text()
        heads = [head for head, _ in samples(folder, row["temperature"])]
        assert all(f" seed={row['seed']} " in head for head in heads)
        again = call("sample", folder, "-n", 2, "-t", row["temperature"], "--length", 40,
                     "--seed", row["seed"])  # fmt: skip
        assert again == written


def test_the_run_ends_with_the_verdict_that_blast_gives(run):
    folder, said = run
    found = json.loads((folder / "summary.json").read_text())["similarity"]
    verdict = found["controls"]["sentence"]
    assert found["said"] == f"{found['sentence']}. {verdict[0].upper()}{verdict[1:]}"
    assert found["said"] in said


def test_the_limits_of_the_search_are_settings_of_the_run(run):
    folder, _ = run
    results = json.loads((folder / "similarity" / "hits.json").read_text())["results"]
    hits = [hit for result in results for hit in result["hits"]]
    assert hits
    assert {len(hit["hsps"]) for hit in hits} == {1}
    notes = json.loads((folder / "summary.json").read_text())["similarity"]["notes"]
    assert any("--max-hsps 1" in note for note in notes) == any(hit["more_hsps"] for hit in hits)


def test_the_last_seeds_of_all_go_on_from_the_first():
    config = RunConfig(domain="genome", training={"seed": 2**63 - 1})
    assert [_options(config, place).seed for place in (0, 1)] == [2**63 - 1, 0]


def test_a_temperature_of_a_recipe_may_be_a_schedule(tmp_path):
    config = RunConfig.of(
        {"domain": "genome", "sampling": {"temperatures": ["1.2:0.5", 1, "0.8"]}}, "recipe"
    )
    assert config.sampling.temperatures == ("1.2:0.5", 1.0, 0.8)
    assert RunConfig.of(json.loads(config.model_dump_json()), "again") == config
    options = _options(config, 0)
    assert (options.temperature, options.temperature_end) == (1.2, 0.5)
    names = [
        _path(RunFolder(tmp_path), GenomeDomain(), t).name for t in config.sampling.temperatures
    ]
    assert names == ["samples-t1.2-0.5.fa", "samples-t1.0.fa", "samples-t0.8.fa"]
    for wrong in ("1.2:", "1:2:3", "hot", "inf:1", "inf", -1, None, "-1:2"):
        with pytest.raises(ConfigError, match=r"sampling\.temperatures\.0: "):
            RunConfig.of({"domain": "genome", "sampling": {"temperatures": [wrong]}}, "recipe")


def test_samples_with_the_memory_are_measured_beside_the_same_draws_without(tmp_path):
    """`[sampling] memory = true`: what it does to novelty stands on the page."""
    source, out = material("text", tmp_path, 2), tmp_path / "run"
    call("run", "text", source, *short(), "--out", out, "--set", "sampling.memory=true",
         "--memory-budget", "4M")  # fmt: skip
    summary = json.loads((out / "summary.json").read_text())
    row = summary["report"]["words known from training (share)"]

    assert row["samples"] > 2 * row["without the memory"]
    copied = summary["report"]["longest copied span (characters)"]
    assert copied["without the memory"] < copied["samples"] <= 50
    assert ">without the memory</th>" in (out / "report.html").read_text()
    assert (out / "memory.safetensors").is_file()
    assert "memory" not in json.loads(call("sample", out, "--json"))[0]["settings"]
