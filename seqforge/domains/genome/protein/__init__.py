"""Proteins: amino acids in, FASTA out."""
