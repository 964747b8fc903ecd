"""Data, model, training, evaluation, sampling and output; knows no domain."""
