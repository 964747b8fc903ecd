"""Queries in, hits out, by EMBL-EBI's Job Dispatcher. Sequences leave the machine."""
