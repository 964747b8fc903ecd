"""The memory of genomes: contexts counted on both strands, repeats followed, four-way mixing."""
