"""An outsider signs and mints with examples/sign_and_mint.py alone, against a real server of two processes."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
import requests

from torture.real_server import RealServer, run
from transcript import ROOT

EXAMPLE = ROOT / "examples/sign_and_mint.py"
SENDERS = 16


@pytest.fixture
def server(tmp_path):
    server = RealServer.made(tmp_path, workers=2)
    anyio.run(server.start)
    yield server
    server.end()


@pytest.fixture
def key(server):
    return json.loads(run("keys", "create", "--name", "analytics", "--signing", "--json", at=server.directory))


def url_of(server):
    return f"http://127.0.0.1:{server.port}"


def signed_mint(server, key):
    """A request that the example signed, ready to be sent as often as one likes."""
    auth = runpy.run_path(str(EXAMPLE))["SignedRequest"](key["id"], key["secret"])
    body = {"user": {"id": "user_7"}}
    return requests.Request("POST", f"{url_of(server)}/sessions", json=body, auth=auth).prepare()


def send(prepared):
    with requests.Session() as session:  # a connection of its own, which either process may get
        return session.send(prepared, timeout=10)


def test_the_example_mints_a_token_that_the_server_verifies(server, key, tmp_path):
    environment = {
        "PATH": os.environ["PATH"],
        "GUESTPASS_URL": url_of(server),
        "GUESTPASS_KEY_ID": key["id"],
        "GUESTPASS_SECRET_KEY": key["secret"],
    }
    ran = subprocess.run(
        [sys.executable, EXAMPLE, "user_42"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    token = ran.stdout.strip()
    answer = requests.get(f"{url_of(server)}/v1/session", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert (answer.status_code, answer.json()["externalUserId"]) == (200, "user_42")
    assert key["secret"] not in server.last_words()


def test_of_twins_at_two_processes_one_passes_and_none_after_a_restart(server, key):
    prepared = signed_mint(server, key)
    with ThreadPoolExecutor(SENDERS) as senders:
        answers = list(senders.map(send, [prepared] * SENDERS))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 401: SENDERS - 1}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 401} == {"REQUEST_REPLAYED"}
    server.kill()
    anyio.run(server.start)
    assert send(prepared).json()["code"] == "REQUEST_REPLAYED"
    assert send(signed_mint(server, key)).status_code == 201
