"""A realistic run for the page, and a parser that is strict about it."""

import math
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "input", "link", "source"}


def summary_of_a_run():
    return {
        "pipeline": "genome",
        "domain": "genome",
        "name": "genome-2026-11-21-110000",
        "command": "seqforge run genome --fasta 'my fly.fa' --budget 2m",
        "finished_at": "2026-11-21T11:02:31+00:00",
        "symbols": {"train": 19_031_947, "valid": 1_057_330, "test": 1_057_331},
        "records": {"train": 11, "valid": 3, "test": 2},
        "vocabulary_size": 5,
        "parameters": 199_813,
        "model": {"cell": "lstm", "hidden_size": 128, "num_layers": 2, "embedding_size": None},
        "bits_per_symbol": {"valid": 1.931, "test": 1.926},
        "perplexity": {"valid": 3.813, "test": 3.799},
        "unit": "base",
        "baselines": {
            "part": "test",
            "uniform": 2.3219,
            "order_k": 1.9488,
            "k": 8,
            "orders": {"0": 1.9942, "2": 1.9738, "4": 1.9658, "8": 1.9488, "9": 1.9508},
            "compressors": {"zlib": 2.2299, "bz2": None, "lzma": 2.0132},
            "notes": ["The compressors saw the last 4,000,000 training symbols."],
        },
        "training": {
            "steps": 6000,
            "best_step": 4000,
            "seconds": 120.4,
            "symbols_seen": 49_152_000,
        },
        "speed": {"train_symbols_per_second": 234_567.8, "sample_symbols_per_second": 64_000.2},
        "advice": {
            "before": "199,813 weights, 19,031,947 training symbols: the model is small",
            "verdict": "under-fitting",
            "after": "under-fitting: training 1.920 and held-out 1.931 bits are about equal",
        },
        "peak_memory_mb": 843.21,
        "wall_seconds": 151.3,
        "seed": 12345,
        "precision": "bf16",
        "lanes": 2,
        "versions": {"seqforge": "0.1.0", "torch": "2.13.0", "python": "3.11.9"},
        "samples": [
            {"file": "samples/samples-t0.5.fa", "temperature": 0.5, "count": 5, "mean_bits": 1.8},
            {"file": "samples/samples-t1.0.fa", "temperature": 1.0, "count": 6, "mean_bits": 1.95},
        ],
        "report": {
            "gc_content": {"samples": 0.4312, "held_out": 0.4275},
            "outside_grammar": 0.0625,
            "stop_codons": {"TAA": {"samples": 0.313}, "TAG": {"samples": 0.207}},
        },
        "similarity": {
            "library": "my fly.fa",
            "library_length": 21_146_708,
            "sentence": "Two of 15 samples are more alike than any shuffle.",
            "table": [
                {"query": "samples", "hits": 2, "best_evalue": 1.2e-9},
                {"query": "shuffle", "hits": 0, "best_evalue": None},
            ],
            "controls": {
                "sentence": "nothing shows that my fly.fa is near",
                "notes": ["5 pieces of my fly.fa stand in the library whole"],
                "labels": {"samples": "samples of my fly.fa", "shuffle": "shuffles"},
                "table": [{"sequences": "samples of my fly.fa", "p": 0.0417, "how many": 15}],
                "copied_from": "my fly.fa",
                "copying": {"24-mers found in training": {"samples": 0.0625, "shuffle": 0.0}},
                "picture": {
                    "label": "best E() in my fly.fa",
                    "ticks": [[0.0, "none"], [0.5, "1e-5"]],
                    "groups": {"samples of my fly.fa": [0.0, 0.25, 0.5], "shuffles": [0.125]},
                },
            },
        },
    }


def least_summary():
    """A summary that says no more than any must: nothing was held out, drawn or searched for."""
    said = summary_of_a_run()
    needed = (
        *("pipeline", "domain", "name", "symbols", "records", "vocabulary_size", "parameters"),
        *("unit", "training", "wall_seconds", "seed", "precision", "lanes"),
    )
    return {name: said[name] for name in needed} | {
        "model": {},
        "bits_per_symbol": {"valid": None, "test": None},
        "perplexity": {"valid": None, "test": None},
        "baselines": {"part": None, "uniform": 2.3219, "order_k": None, "k": None},
        "speed": {"train_symbols_per_second": 0.0},
        "versions": {},
    }


def evaluations(count=30):
    return [
        {
            "step": 200 * i,
            "elapsed_seconds": 4.0 * i,
            "train_bits": 1.92 + 0.5 * math.exp(-i),
            "valid_bits": 1.93 + 0.4 * math.exp(-i) + 1e-4 * max(0, i - 20),
            "learning_rate": 2e-3,
            "symbols_per_second": 234_567.8,
        }
        for i in range(1, count + 1)
    ]


SAMPLES = [
    {"text": ">sample_1\nACGT\n", **summary_of_a_run()["samples"][0]},
    {"text": "ACGT" * 2_000, **summary_of_a_run()["samples"][1]},
]
INGEST = [
    {
        "file": "my fly.fa",
        "status": "split",
        "reason": "1 run of N",
        "records": 16,
        "symbols": 21_146_608,
    },
    {"file": "notes.txt", "status": "refused", "reason": "no '>'"},
]


class Checker(HTMLParser):
    """Keeps the text, the tags still open, and every attribute."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.attributes, self.tags, self.text = [], [], set(), ""
        self.title = ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if self.open == ["html", "head", "title"]:
            self.title += data
        elif self.open and self.open[-1] not in ("style", "script", "title"):
            self.text += data
