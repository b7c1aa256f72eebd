"""``gp.api_keys``: what each method sends, how a bound is lifted, and that a secret is in no ``repr``; for both clients."""

from datetime import UTC, datetime

import pytest
from scripted_service import SECRET_KEY, reply

from guestpass.errors import ValidationFailed

KEY_ID = "key_01jd9x3m5n7p8q9r0s1t2v3w4x"
PATH = f"/v1/api-keys/{KEY_ID}"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
A_KEY = {
    "id": KEY_ID,
    "name": "backend",
    "environment": "test",
    "projectId": "proj_01jd9x3m5n7p8q9r0s1t2v3w4x",
    "can": ["mint", "read"],
    "operations": ["*"],
    "ipRanges": ["10.0.0.0/8"],
    "signing": False,
    "createdAt": "2026-11-21T10:00:00Z",
    "expiresAt": None,
    "lastUsedAt": "2026-11-21T11:00:00Z",
    "revokedAt": None,
    "secrets": [
        {"createdAt": "2026-11-21T11:00:00Z", "endsAt": None},
        {"createdAt": "2026-11-21T10:00:00Z", "endsAt": "2026-11-22T11:00:00Z"},
    ],
}
A_NEW_KEY = A_KEY | {"secret": SECRET_KEY}

CALLS = {
    "create with nothing but a name": (
        lambda gp: gp.api_keys.create(name="backend"),
        ("POST", "/v1/api-keys", {"name": "backend"}),
        A_NEW_KEY,
    ),
    "create with every bound": (
        lambda gp: gp.api_keys.create(
            name="backend",
            signing=True,
            can=["mint"],
            operations=["read_invoices"],
            ip_ranges=["10.0.0.0/8"],
            expires_at=NOON,
        ),
        (
            "POST",
            "/v1/api-keys",
            {
                "name": "backend",
                "signing": True,
                "can": ["mint"],
                "operations": ["read_invoices"],
                "ipRanges": ["10.0.0.0/8"],
                "expiresAt": "2026-11-21T12:00:00Z",
            },
        ),
        A_NEW_KEY,
    ),
    "create without bounds that one's own key has": (
        lambda gp: gp.api_keys.create(name="backend", ip_ranges="any", expires_at="never"),
        ("POST", "/v1/api-keys", {"name": "backend", "ipRanges": None, "expiresAt": None}),
        A_NEW_KEY,
    ),
    "get": (lambda gp: gp.api_keys.get(KEY_ID), ("GET", PATH, None), A_KEY),
    "edit a name": (lambda gp: gp.api_keys.edit(KEY_ID, name="renamed"), ("POST", PATH, {"name": "renamed"}), A_KEY),
    "edit a bound": (lambda gp: gp.api_keys.edit(KEY_ID, can=["mint"]), ("POST", PATH, {"can": ["mint"]}), A_KEY),
    "lift bounds": (
        lambda gp: gp.api_keys.edit(KEY_ID, ip_ranges="any", expires_at="never"),
        ("POST", PATH, {"ipRanges": None, "expiresAt": None}),
        A_KEY,
    ),
    "a bound that is None is not touched": (
        lambda gp: gp.api_keys.edit(KEY_ID, operations=["a"], ip_ranges=None, expires_at=None),
        ("POST", PATH, {"operations": ["a"]}),
        A_KEY,
    ),
    "rotate": (lambda gp: gp.api_keys.rotate(KEY_ID), ("POST", f"{PATH}/rotate", {}), A_NEW_KEY),
    "rotate without an overlap": (
        lambda gp: gp.api_keys.rotate(KEY_ID, overlap_seconds=0),
        ("POST", f"{PATH}/rotate", {"overlapSeconds": 0}),
        A_NEW_KEY,
    ),
    "revoke": (lambda gp: gp.api_keys.revoke(KEY_ID), ("POST", f"{PATH}/revoke", {}), A_KEY),
    "revoke and keep the sessions": (
        lambda gp: gp.api_keys.revoke(KEY_ID, keep_sessions=True),
        ("POST", f"{PATH}/revoke", {"keepSessions": True}),
        A_KEY,
    ),
}


@pytest.mark.parametrize(("call", "request_sent", "answered"), CALLS.values(), ids=CALLS.keys())
def test_each_method_sends_its_documented_request(host, service, call, request_sent, answered):
    service.will(reply(200, answered | {"addedLater": 1}))
    key = host.do(call)
    assert (service.last.method, service.last.url.raw_path.decode(), service.last_body) == request_sent
    assert (key.id, key.can, key.ip_ranges) == (KEY_ID, ("mint", "read"), ("10.0.0.0/8",))
    assert [secret.ends_at for secret in key.secrets] == [None, datetime(2026, 11, 22, 11, 0, tzinfo=UTC)]


def test_a_new_secret_is_in_no_repr(host, service):
    service.will(reply(201, A_NEW_KEY))
    new = host.do(lambda gp: gp.api_keys.rotate(KEY_ID))
    assert new.secret == SECRET_KEY
    assert SECRET_KEY not in f"{new!r} {new} {[new]} {list(new.__rich_repr__())}"
    assert KEY_ID in repr(new)


def test_all_pages_are_one_iterator(host, service):
    service.will(
        reply(200, {"data": [A_KEY | {"id": "key_2"}], "nextCursor": "c1"}),
        reply(200, {"data": [A_KEY | {"id": "key_1"}], "nextCursor": None}),
    )
    assert [key.id for key in host.all(lambda gp: gp.api_keys.list(limit=1))] == ["key_2", "key_1"]
    assert [dict(request.url.params) for request in service.requests] == [
        {"limit": "1"},
        {"limit": "1", "cursor": "c1"},
    ]


def test_a_misspelt_bound_is_a_type_error_that_names_the_right_ones(host, service):
    """A bound that is dropped would be a key that may more than was meant."""
    for call in (
        lambda gp: gp.api_keys.create(name="x", ip_range=["10.0.0.0/8"]),
        lambda gp: gp.api_keys.edit(KEY_ID, ip_range=["10.0.0.0/8"]),
    ):
        with pytest.raises(TypeError, match=r"ip_range.*ip_ranges"):
            host.do(call)
    assert service.requests == []


@pytest.mark.parametrize("wrong", [SECRET_KEY, "", "..", "a/b"])
def test_a_secret_never_gets_into_an_address(host, service, wrong):
    for call in (
        lambda gp: gp.api_keys.get(wrong),
        lambda gp: gp.api_keys.edit(wrong, name="x"),
        lambda gp: gp.api_keys.rotate(wrong),
        lambda gp: gp.api_keys.revoke(wrong),
    ):
        with pytest.raises(ValidationFailed, match="key_…"):
            host.do(call)
    assert service.requests == []
