"""Files, paths, text and the machine; knows no sequence."""
