"""A model with attention, from the command line: trained, read, drawn from."""

import json

from seqforge.core.model.checkpoint import load_checkpoint
from tests.cli.conftest import small


def test_a_model_with_attention_is_used_like_any(seqforge, text_file, tmp_path):
    run = tmp_path / "run"
    trained = seqforge("train", "text", text_file, *small(run, "--attention", 20),
                       "--set", "training.ema_share=0.2")  # fmt: skip
    assert trained.exit_code == 0, trained.output

    checkpoint = load_checkpoint(run / "model.safetensors")
    assert checkpoint.card.config.model.title == "1 x 16 gru, attention over 20"
    assert checkpoint.weights["attention.mix"].any(), "it has learnt"
    drawn = seqforge("sample", run, "-n", 2, "--length", 30, "--prime", "the")
    assert drawn.exit_code == 0, drawn.output
    likely = json.loads(seqforge("next", run, "th", "-k", 3, "--json").stdout)
    assert len(likely) > 0
    scored = seqforge("evaluate", run, text_file)
    assert scored.exit_code == 0, scored.output
    read = seqforge("inspect", run, text_file, "--out", tmp_path / "units")
    assert read.exit_code == 0, read.output
