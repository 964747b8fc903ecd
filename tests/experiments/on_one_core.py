"""The program on one core of the machine: its experiments have one worker, which imports once."""

import os
import runpy

if __name__ == "__main__":  # a worker imports the script that began it
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    runpy.run_module("seqforge", run_name="__main__", alter_sys=True)
