"""A model and options in, samples out."""
