"""Which events an endpoint gets."""

from __future__ import annotations

import pytest

from guestpass.core.webhooks.subscriptions import DEFAULT_EVENTS, EVENTS, fault_of_list, wants


def test_by_default_it_gets_everything_but_mints():
    assert [event for event in EVENTS if not wants(DEFAULT_EVENTS, event)] == ["session.created"]


@pytest.mark.parametrize(
    ("choices", "event", "gets"),
    [
        (["session.revoked"], "session.revoked", True),
        (["session.revoked"], "session.created", False),
        (["api_key.*"], "api_key.rotated", True),
        (["api_key.*"], "api_keys.rotated", False),
        (["api_key.*"], "customer.blocked", False),
        ([], "session.revoked", False),
    ],
)
def test_a_choice_is_a_name_or_a_family(choices, event, gets):
    assert wants(choices, event) is gets


@pytest.mark.parametrize("choices", [list(EVENTS), ["api_key.*", "signing_key.*", "customer.*"], ["session.created"]])
def test_every_event_and_family_may_be_chosen(choices):
    assert fault_of_list(choices) is None


@pytest.mark.parametrize(
    ("choices", "path"),
    [
        ([], ""),
        (["session.revoked"] * 33, ""),
        (["session.revoked", "session.minted"], "[1]"),
        (["*"], "[0]"),
        (["session.*"], "[0]"),  # with it came the mints, which nobody is to get by accident
        (["webhook_endpoint.*"], "[0]"),
        (["session.revoked "], "[0]"),
        ([""], "[0]"),
    ],
)
def test_what_is_no_event_is_refused_by_its_place(choices, path):
    fault = fault_of_list(choices)
    assert fault is not None
    assert fault[0] == path
