"""What knows no sequence: files, text, paths, processes."""
