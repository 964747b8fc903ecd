"""Samples in, files out."""
