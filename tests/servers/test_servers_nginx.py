"""The nginx of the tests serves what a test configures, and knows how to ask before it lets somebody in."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from servers.nginx import Nginx

CONFIGURATION = """
server {{
  listen 127.0.0.1:{port};
  location / {{ auth_request /ask; proxy_pass http://127.0.0.1:{port}/behind; }}
  location = /ask {{ internal; return {answer}; }}
  location = /behind {{ return 200 "let in"; }}
}}
"""


@pytest.fixture
def nginx(home):
    nginx = Nginx(home)
    yield nginx
    nginx.stop()


@pytest.mark.parametrize(("answer", "status"), [(204, 200), (401, 401)])
def test_it_serves_as_configured(nginx, answer, status):
    nginx.start(CONFIGURATION.format(port=nginx.port, answer=answer))
    assert fetch(f"http://127.0.0.1:{nginx.port}/") == status
    nginx.stop()
    assert f'/ HTTP/1.1" {status}' in nginx.log, "a request is logged after its answer"


def fetch(url):
    try:
        with urllib.request.urlopen(url) as reply:
            return reply.status
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return refusal.code


def test_a_wrong_configuration_is_an_error_that_says_what_is_wrong(home):
    with pytest.raises(AssertionError, match="unknown directive"):
        Nginx(home).start("nonsense on;")
