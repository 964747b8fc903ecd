"""From files to token arrays, and what is held out of them."""
