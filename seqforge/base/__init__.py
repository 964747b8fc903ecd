"""What knows no sequence: files, paths, text, the machine."""
