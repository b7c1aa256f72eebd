"""The log: nobody who stops reading it stops the server."""

import io
import os
import threading

from guestpass.server.operate.logs import LINES_MAX, Writer


def test_lines_are_written_in_order():
    file = io.StringIO()
    writer = Writer(file)
    for number in range(100):
        writer.msg(f"line {number}")
    writer.flush()
    assert file.getvalue() == "".join(f"line {number}\n" for number in range(100))


def test_a_reader_who_stops_reading_costs_lines_and_never_blocks():
    """As under a parent that started us with a pipe and forgot it."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        writer = Writer(pipe)
        wrote_all = threading.Event()

        def write():
            for _ in range(2 * LINES_MAX):
                writer.msg("x" * 200)
            wrote_all.set()

        threading.Thread(target=write, daemon=True).start()
        assert wrote_all.wait(timeout=20)
        with os.fdopen(reading, "rb") as reader:
            threading.Thread(target=lambda: [None for _ in reader], daemon=True).start()
            writer.flush()
            writer.msg("the last")
            writer.flush()


def test_a_closed_log_is_no_reason_to_fail():
    file = io.StringIO()
    writer = Writer(file)
    file.close()
    writer.msg("into nothing")
    writer.flush()
