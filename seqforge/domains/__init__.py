"""Files of a domain in, symbols out, and back: text, genomes, music. Domains do not import each
other."""
