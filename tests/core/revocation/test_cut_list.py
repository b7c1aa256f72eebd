"""The cut list ends whom a bulk revoke ended, names nobody, and takes nothing back."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from published_lists import EVIL, IAT, KEY, KEYS, sealed

from guestpass.core import ids
from guestpass.core.jose import base64url
from guestpass.core.revocation import cut_list, offline
from guestpass.core.revocation.cut_list import EVERYBODY, CutList, Marks, marks_of, tag_of
from guestpass.core.revocation.cutoff import Cut, Ending, ending_of
from guestpass.core.revocation.published import PublishedRefused
from guestpass.core.revocation.status_list import INVALID, INVALID_REISSUE, SUSPENDED, VALID, StatusList, pack
from guestpass.core.tokens.claims import SessionClaims, Status, StatusListEntry
from guestpass.core.tokens.keys import KeySet

URI = "https://id.example/test/status-lists/cuts"
ADA, ACME, KEY_ID = (tag_of(kind, bytes([n]) * 16) for n, kind in enumerate(("user", "organization", "api_key"), 1))
IAT_MS = IAT * 1000


def session(minted_ms):
    return ids.encode("sess", ids.time_ordered(minted_ms, bytes(10)))


def opened(marks, *, iat=IAT, uri=URI, now=IAT, keys=KEYS):
    text = cut_list.publish(marks, uri=uri, iat=iat, exp=iat + 3600, ttl=5, key=KEY)
    return cut_list.read(text, keys, uri=URI, now=now)


# Whom a cut reaches


@pytest.mark.parametrize(
    ("marks", "status"),
    [
        pytest.param({}, VALID, id="no cut at all"),
        pytest.param({ADA: Marks(1001, 0)}, INVALID, id="her own, a millisecond later"),
        pytest.param({ADA: Marks(1000, 0)}, VALID, id="her own, in the millisecond of the mint: she was minted after it"),
        pytest.param({ACME: Marks(1001, 0)}, INVALID, id="her organization's"),
        pytest.param({KEY_ID: Marks(1001, 0)}, INVALID, id="the API key's"),
        pytest.param({EVERYBODY: Marks(1001, 0)}, INVALID, id="everybody's"),
        pytest.param({tag_of("user", b"bob"): Marks(2000, 0)}, VALID, id="another's"),
        pytest.param({tag_of("organization", b"\1" * 16): Marks(2000, 0)}, VALID, id="of another kind with the same key"),
        pytest.param({ADA: Marks(0, 1001)}, INVALID_REISSUE, id="with reissue"),
        pytest.param({ADA: Marks(0, 1001), ACME: Marks(1001, 0)}, INVALID, id="two, one without reissue: it wins"),
        pytest.param({ADA: Marks(900, 1001)}, INVALID_REISSUE, id="an older one without reissue that she outlived"),
    ],
)  # fmt: skip
def test_a_cut_ends_what_was_minted_before_it(marks, status):
    assert opened(marks).status_of(session(1000), (ADA, ACME, KEY_ID)) == status


@given(st.data())
def test_the_list_says_of_every_session_what_its_cuts_say(data):
    """Any cuts in any order: the published form loses nothing that an offline verifier needs."""
    tags = data.draw(st.sets(st.sampled_from([ADA, ACME, KEY_ID])))
    endings = st.builds(Ending, at_ms=st.just(1), by=st.just("key"), reissue=st.booleans())
    cuts = st.builds(Cut, before_ms=st.integers(0, 9), ending=endings)
    made = data.draw(st.lists(st.tuples(st.sampled_from([ADA, ACME, KEY_ID, EVERYBODY]), cuts), max_size=8))
    listed = opened(marks_of(made))
    for minted_ms in range(10):
        ending = ending_of(minted_ms, None, [cut for tag, cut in made if tag in {*tags, EVERYBODY}])
        expected = VALID if ending is None else INVALID_REISSUE if ending.reissue else INVALID
        assert listed.status_of(session(minted_ms), tuple(tags)) == expected


def test_a_token_without_tags_is_ended_by_every_cut():
    """Any of them may be meant for it; it was made before tokens had tags."""
    listed = opened({ADA: Marks(2000, 0)})
    assert listed.status_of(session(1999), None) == INVALID
    assert listed.status_of(session(2000), None) == VALID
    assert listed.status_of(session(1999), ()) == VALID


@pytest.mark.parametrize("session_id", ["", "sess_", "key_01jd9x3m5n7p8q9r0s1t2v3w4x", "sess_ILOU"])
def test_a_session_whose_id_holds_no_time_is_ended_by_a_cut_of_its_subject(session_id):
    assert opened({ADA: Marks(1, 0)}).status_of(session_id, (ADA,)) == INVALID


# What is published


def test_a_tag_names_nobody():
    """It is a hash under a name of its own, of a key that nobody guesses; for everybody it is a star."""
    assert {len(tag) for tag in (ADA, ACME, KEY_ID)} == {cut_list.TAG_CHARACTERS}
    assert len({tag_of(kind, b"x") for kind in ("user", "organization", "api_key")}) == 3
    assert tag_of("user", b"x") == base64url.encode(hashlib.sha256(b"guestpass cut user x").digest()[:9])
    assert tag_of("all", b"") == EVERYBODY


def test_one_entry_ends_any_number():
    """A million sessions of one organization cost what one does."""
    text = cut_list.publish({ACME: Marks(IAT_MS, 0)}, uri=URI, iat=IAT, exp=IAT + 60, ttl=5, key=KEY)
    assert len(text) < 450
    payload = json.loads(base64url.decode(text.split(".")[1]))
    assert payload == {"sub": URI, "iat": IAT, "exp": IAT + 60, "ttl": 5, "cuts": {ACME: [IAT_MS, 0]}}


def test_the_same_cuts_give_the_same_payload_in_any_order():
    """So that its ETag changes only when something has changed."""
    one = {ADA: Marks(1, 0), ACME: Marks(2, 0)}
    other = {ACME: Marks(2, 0), ADA: Marks(1, 0)}
    payloads = {
        cut_list.publish(marks, uri=URI, iat=IAT, exp=IAT + 60, ttl=5, key=KEY).split(".")[1] for marks in (one, other)
    }
    assert len(payloads) == 1


@pytest.mark.parametrize(
    "changes",
    [{"uri": f"{URI}x"}, {"now": IAT + 3600}, {"now": IAT - 61}, {"keys": KeySet([EVIL.verifying_key])}],
    ids=["of another address", "expired", "from the future", "signed by a stranger"],
)
def test_a_foreign_or_expired_cut_list_is_refused(changes):
    with pytest.raises(PublishedRefused):
        opened({}, **changes)


@pytest.mark.parametrize(
    "cuts",
    [None, [], {"a": 1}, {"a": [1]}, {"a": [1, 2, 3]}, {"a": [-1, 0]}, {"a": [1.5, 0]}, {"a": ["1", 0]}, {"a": [2**53, 0]}],
    ids=str,
)  # fmt: skip
def test_a_list_of_another_shape_is_refused(cuts):
    text = sealed("guestpass-cuts+jwt", without="status_list", sub=URI, cuts=cuts)
    with pytest.raises(PublishedRefused, match="claim"):
        cut_list.read(text, KEYS, uri=URI, now=IAT)


def test_a_status_list_is_not_taken_for_a_cut_list():
    with pytest.raises(PublishedRefused, match="type"):
        cut_list.read(sealed(sub=URI, cuts={}), KEYS, uri=URI, now=IAT)


# A cut is final


def test_a_list_that_comes_late_takes_no_cut_back():
    known = opened({ADA: Marks(IAT_MS, 0), ACME: Marks(0, IAT_MS)}, iat=IAT + 1, now=IAT + 1)
    both = cut_list.merged(known, opened({ADA: Marks(IAT_MS - 5, IAT_MS + 5)}))
    assert both.marks == {ADA: Marks(IAT_MS, IAT_MS + 5), ACME: Marks(0, IAT_MS)}
    assert both.widest == Marks(IAT_MS, IAT_MS + 5)
    assert both.iat == IAT + 1


def test_a_cut_is_forgotten_when_no_token_can_be_alive_that_it_covers():
    """A day and a minute by the issuer's clock, which signs: memory is bounded, and nothing revives."""
    day = 86_400 + 60
    known = opened({ADA: Marks(IAT_MS, 0), ACME: Marks(IAT_MS + 1, 0)})
    later = opened({}, iat=IAT + day, now=IAT + day)
    assert cut_list.merged(known, later).marks == {ACME: Marks(IAT_MS + 1, 0)}


@given(st.dictionaries(st.sampled_from([ADA, ACME, EVERYBODY]), st.builds(Marks, st.integers(0, 9), st.integers(0, 9))),
       st.dictionaries(st.sampled_from([ADA, ACME, EVERYBODY]), st.builds(Marks, st.integers(0, 9), st.integers(0, 9))))  # fmt: skip
def test_what_either_list_ends_is_ended_by_both(one, other):
    known, fetched = (CutList(iat=1, exp=9, ttl=5, marks=marks, widest=Marks(9, 9)) for marks in (one, other))
    both = cut_list.merged(known, fetched)
    for minted_ms in range(10):
        said = [each.status_of(session(minted_ms), (ADA, ACME)) for each in (known, fetched)]
        endings = {status for status in said if status != VALID}
        expected = VALID if not endings else INVALID_REISSUE if endings == {INVALID_REISSUE} else INVALID
        assert both.status_of(session(minted_ms), (ADA, ACME)) == expected


# The state of one token


def claims(idx, tags=(ADA,)):
    entry = StatusListEntry(idx=idx, uri="https://id.example/test/status-lists/7")
    names = dict.fromkeys(("iss", "aud", "sub", "jti", "client_id", "project_id", "environment"), "x")
    status = Status(status_list=entry) if tags is None else Status(status_list=entry, cuts=tags)
    return SessionClaims(**names, iat=IAT, exp=IAT + 60, sid=session(1000), status=status)


@pytest.mark.parametrize(
    ("own", "marks", "reissue"),
    [
        (VALID, Marks(1001, 0), False), (VALID, Marks(0, 1001), True), (INVALID, Marks(0, 1001), False),
        (INVALID, Marks(0, 0), False), (INVALID_REISSUE, Marks(0, 0), True), (INVALID_REISSUE, Marks(1001, 0), False),
        (INVALID_REISSUE, Marks(0, 1001), True), (SUSPENDED, Marks(1001, 0), False), (SUSPENDED, Marks(0, 1001), True),
    ],
)  # fmt: skip
def test_of_list_and_cut_the_one_without_reissue_wins(own, marks, reissue):
    listed = StatusList(iat=IAT, exp=IAT + 60, ttl=5, bits=2, packed=bytes(pack([own])))
    state = offline.state_of(claims(0), listed, opened({ADA: marks}))
    assert state.ending is not None
    assert state.ending.reissue is reissue


def test_a_token_that_no_list_names_lives_and_one_that_is_suspended_is_told_so():
    listed = StatusList(iat=IAT, exp=IAT + 60, ttl=5, bits=2, packed=bytes(pack([VALID, SUSPENDED])))
    nobody = opened({tag_of("user", b"bob"): Marks(9999, 0)})
    lives = offline.state_of(claims(0), listed, nobody)
    assert (lives.ending, lives.suspended_scope) == (None, None)
    suspended = offline.state_of(claims(1), listed, nobody, suspended_scope="read")
    assert (suspended.ending, suspended.suspended_scope) == (None, "read")
    with pytest.raises(IndexError):
        offline.state_of(claims(4), listed, nobody)


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("https://id.example/test/status-lists/7", ("https://id.example/test/status-lists/", "7")),
        ("https://id.example/status-lists/9/status-lists/a_B-1", ("https://id.example/status-lists/9/status-lists/", "a_B-1")),
        ("https://id.example/test/status-lists/cuts", None),
        ("https://id.example/test/status-lists/", None),
        ("https://id.example/test/status-lists/7/", None),
        ("https://id.example/test/status-lists/../../keys", None),
        ("https://id.example/test/status-lists/7?x", None),
        ("https://id.example/test/status-lists/%2e", None),
        ("https://id.example/test/status-lists/7\n", None),
        ("https://id.example/test/status-lists/\u0667", None),
        ("https://id.example/test/status-lists/" + "7" * 65, None),
        ("/status-lists/7", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_address_of_a_list_has_one_shape(uri, parts):
    """Only its last part is ever used to fetch, so it must be able to go nowhere else."""
    assert offline.split_uri(uri) == parts
