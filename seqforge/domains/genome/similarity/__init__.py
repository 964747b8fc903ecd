"""Are these sequences like anything known? Hits, their statistics and the ways to find them."""
