"""Settings in, many small trials trained and a page of what came out: experiments that are runs."""
