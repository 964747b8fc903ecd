"""What symbols mean: text, genomes, music. No domain knows another."""
