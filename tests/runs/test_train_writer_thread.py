"""Jobs beside: in order, one at a time, and nothing that goes wrong is lost."""

import threading

import pytest

from seqforge.runs.train import WriterThread
from tests.patience import PATIENCE


def test_jobs_are_done_in_order_and_one_at_a_time():
    beside, done, at_once = WriterThread(), [], []
    running = threading.Semaphore(1)

    def job(number):
        at_once.append(running.acquire(blocking=False))
        done.append(number)
        running.release()

    for number in range(50):
        beside.do(lambda number=number: job(number))
    beside.close()

    assert done == list(range(50))
    assert all(at_once)


def test_whoever_gives_a_job_goes_on_at_once_and_the_next_one_waits():
    beside, gate, done = WriterThread(), threading.Event(), []
    beside.do(lambda: (gate.wait(PATIENCE), done.append("first")))

    assert beside.busy
    beside.check()  # does not wait
    assert done == []
    threading.Timer(0.05, gate.set).start()
    beside.do(lambda: done.append("second"))
    assert done[0] == "first"
    beside.close()
    assert done == ["first", "second"]
    assert not beside.busy


@pytest.mark.parametrize("call", ["check", "wait", "close", "do"])
def test_what_a_job_raises_is_raised_once_to_whoever_calls_next(call):
    beside = WriterThread()

    def fail():
        raise OSError("the disk is full")

    beside.do(fail)
    while beside.busy:
        pass
    arguments = [lambda: None] if call == "do" else []
    with pytest.raises(OSError, match="the disk is full"):
        getattr(beside, call)(*arguments)
    beside.check()
    beside.close()
