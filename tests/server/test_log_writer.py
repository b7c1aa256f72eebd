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
    pipe = os.fdopen(writing, "w")
    writer = Writer(pipe)
    for _ in range(2 * LINES_MAX):  # far more than the pipe and the queue hold together
        writer.msg("x" * 200)
    read = bytearray()

    def read_all():
        while part := os.read(reading, 65_536):
            read.extend(part)

    reader = threading.Thread(target=read_all)
    reader.start()
    writer.flush()
    writer.msg("the last")
    writer.flush()
    pipe.close()
    reader.join()
    os.close(reading)
    assert b" lines were dropped)\n" in read
    assert read.endswith(b"the last\n")


def test_a_closed_log_is_no_reason_to_fail():
    file = io.StringIO()
    writer = Writer(file)
    file.close()
    writer.msg("into nothing")
    writer.flush()
