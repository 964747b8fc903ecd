"""Runs of the tasks beside generation: classify, label, translate."""
