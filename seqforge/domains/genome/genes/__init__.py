"""Genes: annotations in, labels of bases out; labels in, genes by a grammar out."""
