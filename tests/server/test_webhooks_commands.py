"""``guestpass webhooks``: what an operator sees and does."""

from __future__ import annotations

import pytest
from command_line import NOT_FOUND, OK, USAGE

URL = "https://example.com/webhooks"
EVENT = "evt_01q3dcbd00fkhb236cvbnzk61r"
UNKNOWN = "we_01q3dcbd00fkhb236cvbnzk61r"


@pytest.fixture
def store(run):
    assert run("init") == OK
    return run


def test_create_prints_the_secret_alone_in_its_first_line(store):
    assert store("webhooks", "create", "--url", URL) == OK
    secret, _, told, *_ = store.out.splitlines()
    assert secret.startswith("whsec_")
    assert "shown this once" in told
    assert store("webhooks", "list") == OK
    assert secret not in store.out
    assert URL in store.out


def test_create_takes_an_environment_events_and_a_description(store):
    made = store.json("webhooks", "create", "--url", URL, "--env", "live", "--events", "session.revoked, api_key.*",
                      "--description", "billing")  # fmt: skip
    assert (made["environment"], made["events"], made["description"]) == (
        "live", ["session.revoked", "api_key.*"], "billing",
    )  # fmt: skip
    (listed,) = store.json("webhooks", "list")
    assert listed == {name: value for name, value in made.items() if name != "secret"}


@pytest.mark.parametrize(
    "words",
    [
        ("--url", "http://example.com/"),
        ("--url", "https://10.0.0.1/"),
        ("--url", "http://localhost:3000/", "--env", "live"),
        ("--url", URL, "--events", "session.minted"),
        ("--url", URL, "--events", ","),
    ],
)
def test_what_may_not_be_is_refused_and_nothing_is_made(store, words):
    assert store("webhooks", "create", *words) == USAGE
    assert store.err.strip()
    assert store.json("webhooks", "list") == []


def test_in_test_an_endpoint_may_be_on_this_machine(store):
    assert store.json("webhooks", "create", "--url", "http://localhost:3000/hook")["status"] == "enabled"


def test_a_list_of_nothing_says_what_to_do(store):
    assert store("webhooks", "list") == OK
    assert "guestpass webhooks create" in store.err


def test_deliveries_of_a_new_endpoint_are_none(store):
    made = store.json("webhooks", "create", "--url", URL)
    assert store.json("webhooks", "deliveries", made["id"]) == []
    assert store("webhooks", "deliveries", made["id"]) == OK
    assert "Nothing was sent" in store.err


def test_an_operator_disables_and_enables_an_endpoint(store):
    made = store.json("webhooks", "create", "--url", URL)
    disabled = store.json("webhooks", "disable", made["id"])
    assert (disabled["status"], disabled["disabledReason"]) == ("disabled", "by_request")
    assert store("webhooks", "enable", made["id"]) == OK
    assert store.out == f"{made['id']} is enabled.\n"
    assert store.json("webhooks", "list")[0]["disabledReason"] is None


def test_rotate_prints_a_new_secret_once(store):
    made = store.json("webhooks", "create", "--url", URL)
    assert store("webhooks", "rotate", made["id"], "--overlap-seconds", "60") == OK
    secret, _, told, *_ = store.out.splitlines()
    assert secret.startswith("whsec_")
    assert secret != made["secret"]
    assert "older ones sign too for 60 s" in told
    assert len(store.json("webhooks", "list")[0]["secrets"]) == 2
    assert store("webhooks", "rotate", made["id"], "--overlap-seconds", "-1") == USAGE


def test_a_deleted_endpoint_is_in_no_list(store):
    made = store.json("webhooks", "create", "--url", URL)
    assert store.json("webhooks", "delete", made["id"])["id"] == made["id"]
    assert store.json("webhooks", "list") == []
    assert store("webhooks", "delete", made["id"]) == NOT_FOUND


@pytest.mark.parametrize(
    "words",
    [("deliveries", UNKNOWN), ("deliveries", "we_1"), ("resend", UNKNOWN, EVENT), ("enable", UNKNOWN),
     ("disable", UNKNOWN), ("rotate", UNKNOWN), ("delete", UNKNOWN)],
)  # fmt: skip
def test_an_endpoint_that_there_is_not_is_not_found(store, words):
    assert store("webhooks", *words) == NOT_FOUND


def test_an_event_that_was_not_sent_is_not_found(store):
    made = store.json("webhooks", "create", "--url", URL)
    assert store("webhooks", "resend", made["id"], EVENT) == NOT_FOUND


@pytest.mark.parametrize(
    "url", ["https://example.com/", "http://10.0.0.1/", "http://localhost.example.com/", "localhost"]
)
def test_listen_forwards_to_this_machine_alone(store, url):
    assert store("webhooks", "listen", "--forward-to", url) == USAGE
    assert store.err.startswith("--forward-to must")
