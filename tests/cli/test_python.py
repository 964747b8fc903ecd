"""The Python door: what is given is read as a prime is; what cannot be is said in a sentence."""

from pathlib import Path

import numpy as np
import pytest

import seqforge
from seqforge.core.records import Prompt
from seqforge.errors import CheckpointError, ConfigError, InputError, SeqforgeError

BYTES = "abc\n Ã©"  # é as its two bytes


@pytest.fixture(scope="module")
def fly():
    return seqforge.load("fly")


@pytest.fixture(scope="module")
def shakespeare():
    return seqforge.load("shakespeare")


def test_text_is_read_as_a_prime_wherever_it_stands(fly):
    """Small letters are bases in primes, suffixes, stops, scores and conversations alike."""
    assert (fly.score("acg u") == fly.score("ACGT")).all()
    (small,), (large,) = (fly.sample(length=60, stop=stop, seed=3) for stop in ("gg", "GG"))
    assert small == large
    assert small.symbols.endswith("GG")
    (filled,) = fly.sample(length=5, prime="acg", suffix="tt", candidates=2)
    assert (filled.symbols[:3], filled.symbols[-2:]) == ("ACG", "TT")
    talk = fly.conversation(max_length=60, seed=3, stop="gg")
    talk.say("acgt")
    assert "".join(talk.go_on()).endswith("GG")
    talk.change(stop="ca")
    assert "".join(talk.go_on()).endswith("CA")
    assert talk.text.startswith("ACGT")


def test_a_model_of_bytes_takes_any_text_as_its_bytes(toy, piped):
    path = toy("text", BYTES, bytes=True)
    model = seqforge.load(path)
    assert len(model.score("aé")) == 3
    (sample,) = model.sample(max_length=500, stop="é", seed=1)
    assert "Ã©" not in sample.symbols[:-2]
    with pytest.raises(InputError, match="'ð' is the byte 0xf0 of its UTF-8"):
        model.sample(stop="🙂")
    said = piped(path, "-i", "--max-length", 9, lines=["/stop é", "ab"])
    assert "stop 'é'" in said.stderr


def test_a_prompt_says_what_was_left_out_and_is_taken_as_it_is(fly, toy):
    prompt = fly.prompt("acg!N", unknown="skip")
    assert prompt == Prompt("ACG", "the prime", {"!": 1, "N": 1})
    assert prompt
    assert not fly.prompt("")
    assert fly.sample(prime=prompt, length=9) == fly.sample(prime="acg", length=9)
    model = seqforge.load(toy("text", BYTES, bytes=True))
    twice = model.prompt(model.prompt("é"))
    assert twice.symbols == "Ã©", "its two bytes, and not those of the two"
    assert model.conversation(prime=twice).text == "Ã©"
    (sample,) = model.sample(prime=twice, max_length=2)
    assert sample.symbols.startswith("Ã©")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"stop": "ACGTACGT", "max_length": 7}, "'ACGTACGT' can never come: it has 8 symbols"),
        ({"stop": "gx"}, r"where to stop: 'x' \(U\+0078\) at position 2 is not a .* without it$"),
        ({"prime": Path("nothing.fa")}, "nothing.fa: there is no such file"),
        ({"prime": Path()}, "is a folder; name a file in it"),
    ],
)
def test_what_can_never_be_drawn_or_read_is_refused_by_name(fly, how, said):
    with pytest.raises(InputError, match=said):
        fly.sample(**how)
    if "stop" in how:
        talk = fly.conversation(max_length=7)
        with pytest.raises(InputError, match=said):
            talk.change(stop=how["stop"])
        assert talk.options.stop is None


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda fly: seqforge.load("fly", "gpu"), "device is one of auto, cpu, cuda"),
        (lambda fly: seqforge.load(5), "a model is given by its name or its path, not as 5"),
        (lambda fly: fly.sample(n=2.0), r"n must be a whole number, not 2\.0"),
        (lambda fly: fly.sample(n=-1), "n must be 0 or above, not -1"),
        (lambda fly: fly.sample(temperature="hot"), "'hot' is no temperature: give a number"),
        (lambda fly: fly.sample(temperature=None), "temperature must be a number, not None"),
        (lambda fly: fly.sample(temperature=(1, 2, 3)), "temperature is a number, or the first"),
        (lambda fly: fly.sample(seed=-1), "seed must lie in"),
        (lambda fly: fly.sample(seed="1"), "seed must be a whole number, not '1'"),
        (lambda fly: fly.sample(unknown="drop"), "unknown is one of refuse, skip, map, not 'drop'"),
        (lambda fly: fly.sample(length=True), "length must be a whole number, not True"),
        (lambda fly: fly.sample(top_p="x"), "top_p must be a number"),
        (lambda fly: fly.sample(prime=b"ACGT"), "the prime must be a text or a Path"),
        (lambda fly: fly.sample(stop=5), "where to stop must be a text or a Path, not 5"),
        (lambda fly: fly.sample(constraint="no"), "constraint must be True or False"),
        (lambda fly: fly.sample(bars=2.5), r"bars must be a whole number, not 2\.5"),
        (lambda fly: fly.beam(2.0), r"width must be a whole number, not 2\.0"),
        (lambda fly: fly.score(5), "the text must be a text or a Path, not 5"),
        (lambda fly: next(fly.stream(number="1")), "number must be a whole number"),
        (lambda fly: next(fly.stream(number=0)), "number must be 1 or above, not 0"),
        (lambda fly: fly.conversation().say(5), "what was typed must be a text or a Path, not 5"),
        (lambda fly: fly.conversation().change(stop=5), "where to stop must be a text"),
        (lambda fly: fly.conversation().change(temperature="x"), "'x' is no temperature"),
        (lambda fly: fly.adapted("ACGT" * 20, passes="x"), "passes must be a whole number"),
        (lambda fly: fly.conversation(temperature=[]), "temperature is a number, or the first"),
    ],
)  # fmt: skip
def test_an_argument_of_the_wrong_kind_is_a_value_error_that_names_it(fly, call, said):
    with pytest.raises(ValueError, match=said):
        call(fly)


def test_an_option_that_there_is_not_brings_the_nearest(fly):
    with pytest.raises(TypeError, match="no option 'temprature' of drawing; did you mean temperat"):
        fly.sample(temprature=0.5)
    with pytest.raises(TypeError, match="no option 'temprature' of drawing"):
        fly.conversation().change(temprature=0.5)


@pytest.mark.parametrize("name", ["nothing", "nothing.safetensors", ".", Path("nothing")])
def test_a_model_that_there_is_not_is_said(name):
    with pytest.raises(CheckpointError):
        seqforge.load(name)
    assert issubclass(CheckpointError, SeqforgeError)


def test_a_sample_of_whole_text_begins_where_a_paragraph_can(shakespeare):
    """As after an empty line, which is neither shown nor scored; a prime is gone on from."""
    opened = shakespeare.sample(n=12, length=30, seed=1)
    given = shakespeare.sample(n=12, length=30, seed=1, prime="\n\n")

    assert [one.symbols for one in opened] == [one.drawn for one in given]
    assert [one.mean_log_prob for one in opened] == [one.mean_log_prob for one in given]
    assert all(one.symbols[0].isupper() for one in opened)
    assert {one.settings["opening"] for one in opened} == {"\n\n"}
    assert {one.prime_length for one in opened} == {0}
    assert all("opening" not in one.settings for one in given)
    assert opened == shakespeare.sample(n=12, length=30, seed=1)
    assert "".join(shakespeare.stream(length=30, seed=1)) == opened[0].symbols


def test_a_conversation_begins_there_too_unless_something_is_said(shakespeare):
    (opened,) = shakespeare.sample(max_length=30, seed=1)
    talk = shakespeare.conversation(max_length=30, seed=1)

    assert "".join(talk.go_on()) == opened.symbols
    assert talk.samples()[0].settings["opening"] == "\n\n"
    talk.undo()
    talk.say("ROMEO:")
    (primed,) = shakespeare.sample(max_length=30, seed=1, prime="ROMEO:")
    assert "".join(talk.go_on()) == primed.drawn
    assert "opening" not in talk.samples()[0].settings
    talk.begin_anew()
    talk.change(seed=1)
    assert "".join(talk.go_on())
    assert talk.samples()[0].settings["opening"] == "\n\n"


def test_only_models_of_few_whole_texts_are_opened(fly, toy):
    assert "opening" not in fly.sample(length=9)[0].settings
    for options in ({}, {"separator": "b"}):
        (sample,) = seqforge.load(toy("text", "abcde \n", **options)).sample(max_length=9, seed=2)
        assert ("opening" in sample.settings) != bool(options)
    assert "opening" not in seqforge.load(toy("text", "abcdefg")).sample(max_length=9)[0].settings
    assert seqforge.load(toy("text")).domain.openings(files=20) == ()


TINY = {"hidden_size": 8, "batch_size": 8, "seq_len": 16, "precision": "fp32"}


def test_a_run_from_python_is_silent_and_gives_folder_numbers_and_model(tmp_path, text_file, capfd):
    told = []
    run = seqforge.run(
        "text", [text_file], out=tmp_path / "run", budget="5steps", progress=told.append,
        settings={"sampling.length": 20, "sampling.count": 1}, **TINY,
    )  # fmt: skip

    assert run.summary["domain"] == "text"
    assert run.page == tmp_path / "run" / "report.html"
    assert [path.is_file() for path in run.samples] == [True] * 3
    (drawn,) = run.model.sample(temperature=0.5, max_length=20)
    assert drawn.settings["opening"]
    assert run.samples[0].read_text() == drawn.symbols, "what a run draws begins there too"
    assert {"reading ...", "training ...", "sampling ..."} <= set(told)
    assert any(line.startswith("step 5: training ") for line in told)
    again = seqforge.run("text", text_file, out=run.folder, budget="5steps", **TINY,
                         settings={"sampling.length": 20, "sampling.count": 1})  # fmt: skip
    assert again.summary == run.summary
    assert capfd.readouterr() == ("", "")


def test_training_alone_takes_options_of_the_domain(tmp_path, text_file):
    run = seqforge.train("text", str(text_file), out=str(tmp_path / "run"), budget="2steps",
                         bytes=True, seed=3, **TINY)  # fmt: skip
    assert run.page is None
    assert run.samples == []
    assert run.model.domain.bytes
    assert run.summary["seed"] == 3
    (sample,) = seqforge.sample(run.folder, length=5)
    assert sample == run.model.sample(length=5)[0]


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda: seqforge.run("txet"), seqforge.ConfigError, "did you mean text"),
        (lambda: seqforge.run(5), ValueError, "pipeline must be a text or a Path, not 5"),
        (lambda: seqforge.run("text", out=5), ValueError, "out must be a text or a Path, not 5"),
        (lambda: seqforge.run("text", 5), ValueError, "inputs are paths, not 5"),
        (lambda: seqforge.run("text", [5]), ValueError, "inputs are paths, not 5"),
        (lambda: seqforge.run("text", "-"), seqforge.InputError, "standard input"),
        (lambda: seqforge.run("text", "no.txt"), seqforge.InputError, "no.txt"),
        (lambda: seqforge.run("text", hiden_size=8), TypeError, "did you mean hidden_size"),
        (lambda: seqforge.run("text", hidden_size="x"), seqforge.ConfigError, "model.hidden_size"),
        (lambda: seqforge.run("text", budget=60), seqforge.ConfigError, "training.budget"),
        (lambda: seqforge.run("text", settings=5), ValueError, "settings are keys and values"),
        (lambda: seqforge.run("text", progress=5), ValueError, "progress must take a line"),
        (lambda: seqforge.train("text", settings={"a.b": 1}), seqforge.ConfigError, "no such set"),
    ],
)
def test_a_run_that_cannot_be_is_one_sentence(call, kind, said):
    with pytest.raises(kind, match=said):
        call()
    assert not Path("runs").exists()


def test_python_takes_every_option_of_the_command_line():
    from typer.main import get_command

    from seqforge.api.run import SHORT
    from seqforge.cli.main import app

    names = {parameter.name for parameter in get_command(app).commands["run"].params}
    elsewhere = {"pipeline", "more", "inputs", "out", "open_", "resume", "settings", "json_",
                 "quiet", "verbose", "sample_every"}  # fmt: skip
    assert names - elsewhere == set(SHORT)


def test_a_trace_tells_what_scoring_tells():
    model = seqforge.load("shakespeare")

    found = model.trace("ROMEO:\nO, what light", gates=True)

    np.testing.assert_allclose(found.bits, model.score("ROMEO:\nO, what light"), atol=1e-5)
    assert found.hidden.shape == (len(found), 2, 304)
    assert found.gates.shape == (len(found), 2, 4, 304)
    likeliest = found.expected(5, model.card.vocabulary)
    assert likeliest[0][0] == ":"
    assert likeliest[0][1] > 0.5


def test_samples_say_which_units_were_driven_and_change_with_them():
    model = seqforge.load("shakespeare")
    how = {"length": 80, "seed": 3}

    free, driven = (model.sample(1, **how, **more)[0] for more in ({}, {"drive": "1:73=-0.9"}))

    assert "drive" not in free.settings
    assert driven.settings["drive"] == "1:73=-0.9"
    assert driven.symbols != free.symbols
    assert model.sample(1, **how, drive="1:73=-0.9")[0] == driven
    assert model.sample(1, **how, drive="")[0] == free


def test_a_unit_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match=r"shakespeare: there is no unit 9:9: layers are 0 to 1"):
        seqforge.load("shakespeare").sample(1, drive="9:9=1")
