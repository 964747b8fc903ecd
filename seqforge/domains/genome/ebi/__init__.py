"""Similarity search at EMBL-EBI, by its Job Dispatcher: sequences leave the machine."""
