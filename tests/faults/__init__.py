"""Every command killed at system calls, and its power cut: the same command always goes on."""
