"""A run from files to a page: its request, its folder, its stages."""
