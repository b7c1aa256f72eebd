"""`guestpass demo`: the story, and an app beside it that ends when it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

GUESTPASS = Path(sys.executable).with_name("guestpass")
# Says what it was given, leaves a child behind, and would stay for ever.
APP = 'echo "$GUESTPASS_URL ${GUESTPASS_SECRET_KEY%%_test_*}"; sleep 600 & echo "child $!"; wait'


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read_until(process, beginning):
    for line in process.stdout:
        if line.startswith(beginning):
            return line.split()
    raise AssertionError(f"the demo ended before it said {beginning}")


def wait_gone(pid):
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} is still there")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="asks /proc who is alive")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda one: one.name)
def test_an_app_beside_the_demo_is_told_where_it_is_and_ends_with_it(number, free_port, tmp_path):
    process = subprocess.Popen(
        [GUESTPASS, "demo", "--port", str(free_port), "--", "bash", "-c", APP],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    with process:
        assert read_until(process, "5. The browser shows it again")[-1]
        assert "REFRESH_TOKEN_REUSED:" in read_until(process, "8. A thief shows the copy")
        assert {"reuse,", "currentGeneration"} <= set(read_until(process, "   What you see of it"))
        assert read_until(process, "http://") == [f"http://127.0.0.1:{free_port}", "sk"]
        _, child = read_until(process, "child")
        process.send_signal(number)
        process.wait(15)
    wait_gone(child)
    assert list(tmp_path.iterdir()) == []  # the store is gone too
