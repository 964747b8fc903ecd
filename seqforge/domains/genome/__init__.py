"""Genomes: nucleotides in, FASTA out, with a table of what the samples resemble."""
