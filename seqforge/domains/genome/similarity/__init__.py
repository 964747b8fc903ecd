"""Queries and a library in, hits with E-values out, and controls to judge them by."""
