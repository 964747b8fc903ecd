"""Experts that count contexts and follow repeats in the training symbols, beside the network."""
