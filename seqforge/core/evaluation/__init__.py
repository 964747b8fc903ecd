"""A model or a baseline and held-out data in, bits per symbol out."""
