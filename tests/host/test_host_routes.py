"""Who is answered what, by the routes alone: what they ask for, and what they make of what comes back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass._host.answers import Answer
from guestpass._host.cookies import session_id_of, value_of
from guestpass._host.effects import Access, AskHost, LogIn, LogOut, Refresh
from guestpass._host.facts import Facts
from guestpass._host.proofs import Owner, Proofs
from guestpass._host.routes import SessionRoutes, user_of
from guestpass.client import AccessToken, Logout, TokenPair
from guestpass.errors import (
    Conflict,
    CustomerBlocked,
    Forbidden,
    InternalError,
    NotFound,
    RateLimited,
    RefreshTokenExpired,
    RefreshTokenInvalid,
    RefreshTokenReused,
    RefreshTokenRevoked,
    SessionSuspended,
    TokenExpired,
    TokenRevoked,
    Unauthorized,
    Unavailable,
    ValidationFailed,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
PROOFS = Proofs(["sk_test_of_a_host"])
ROUTES = SessionRoutes("test", PROOFS)
ADA = {"external_user_id": "ada"}
COOKIE = "__Host-gp_refresh_test"


def token_of(session, generation):
    return f"gp_refresh_test_{session:0>26}{generation:x>70}"


def cookie_of(session, generation="1", user="ada", organization=None):
    token = token_of(session, generation)
    return value_of(token, PROOFS.of_owner(session_id_of(token), Owner(user, organization)))


def pair_of(session, generation):
    token = token_of(session, generation)
    return TokenPair(
        session_id=session_id_of(token),
        access_token="an access token",
        access_token_expires_at=NOW + timedelta(minutes=15),
        access_token_expires_in=900,
        refresh_token=token,
        refresh_token_expires_at=NOW + timedelta(days=7),
    )


ACCESS = AccessToken(
    access_token="an access token", access_token_expires_at=NOW + timedelta(minutes=10), access_token_expires_in=600
)
OF_OUR_PAGE = Facts(method="GET", scheme="https", host="shop.example", fetch_site="same-origin", request_id="req_1")


def get(*cookies, **changed):
    return replace(OF_OUR_PAGE, cookie="; ".join(f"{COOKIE}={value}" for value in cookies), **changed)


def post(*cookies, csrf="1", **changed):
    """``csrf``: the session whose token the page has."""
    csrf = csrf and PROOFS.csrf_token(session_id_of(token_of(csrf, "1")))
    return get(*cookies, **{"method": "POST", "csrf": csrf} | changed)


def played(course, *steps):
    """Play a course to its end: each step is what it is expected to ask for, and what comes of that."""
    outcome, send = None, course.send
    for expected, comes in steps:
        assert send(outcome) == expected
        outcome, send = comes, course.throw if isinstance(comes, Exception) else course.send
    with pytest.raises(StopIteration) as done:
        send(outcome)
    return done.value.value


ASK = AskHost(), "ada"
LOG_IN = LogIn(ADA), pair_of("2", "1")
CLEARED = f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure"


def kept(session, generation):
    return f"{COOKIE}={cookie_of(session, generation)}; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict; Secure"


def told(answer):
    """(status, code or nothing, Set-Cookie or nothing) of an answer that keeps the rules of all."""
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Vary"] == "Cookie, Authorization"
    assert answer.headers["X-Request-Id"] == "req_1"
    assert not [name for name in answer.headers if name.startswith(("Access-Control", "Guestpass"))]
    assert (answer.headers.get("WWW-Authenticate") == "Bearer") == (answer.status == 401)
    assert ("Retry-After" in answer.headers) == (answer.status in (429, 503))
    return answer.status, answer.body.get("code"), answer.headers.get("Set-Cookie")


# GET /session


def test_who_has_no_cookie_is_logged_in_and_given_one():
    answer = played(ROUTES.get(get()), ASK, LOG_IN)
    assert told(answer) == (200, None, kept("2", "1"))
    assert answer.body == {
        "sessionToken": "an access token",
        "expiresAt": "2030-01-01T00:15:00Z",
        "expiresIn": 900,
        "csrfToken": PROOFS.csrf_token("sess_" + "2".zfill(26)),
    }


def test_a_living_cookie_of_the_same_user_gives_an_access_token_and_rotates_nothing():
    answer = played(ROUTES.get(get(cookie_of("1"))), ASK, (Access("sess_" + "1".zfill(26)), ACCESS))
    assert told(answer) == (200, None, None)
    assert answer.body["expiresIn"] == 600
    assert answer.body["csrfToken"] == PROOFS.csrf_token("sess_" + "1".zfill(26))


def test_another_user_s_session_is_ended_before_this_one_is_logged_in():
    answer = played(
        ROUTES.get(get(cookie_of("1", user="ben"))), ASK, (LogOut(token_of("1", "1")), Logout(tokens_revoked=1)), LOG_IN
    )
    assert told(answer) == (200, None, kept("2", "1"))


def test_another_user_s_session_that_is_over_stands_in_nobody_s_way():
    ended = LogOut(token_of("1", "1")), RefreshTokenRevoked()
    assert told(played(ROUTES.get(get(cookie_of("1", user="ben"))), ASK, ended, LOG_IN))[0] == 200


def test_nobody_is_logged_in_over_another_s_session_that_cannot_be_ended():
    away = LogOut(token_of("1", "1")), Unavailable(retry_after_seconds=3)
    answer = played(ROUTES.get(get(cookie_of("1", user="ben"))), ASK, away)
    assert told(answer) == (503, "UNAVAILABLE", None)


def test_another_organization_of_the_same_user_is_another_session():
    user = {"external_user_id": "ada", "external_organization_id": "org_2"}
    steps = (AskHost(), user), (LogOut(token_of("1", "1")), Logout(tokens_revoked=1)), (LogIn(user), pair_of("2", "1"))
    assert played(ROUTES.get(get(cookie_of("1", organization="org_1"))), *steps).status == 200
    same = (AskHost(), user), (Access("sess_" + "1".zfill(26)), ACCESS)
    assert played(ROUTES.get(get(cookie_of("1", organization="org_2"))), *same).status == 200


@pytest.mark.parametrize(
    "over",
    [RefreshTokenExpired(), RefreshTokenRevoked(), RefreshTokenReused(), RefreshTokenInvalid(), NotFound(), TokenRevoked(), TokenExpired()],
    ids=lambda error: error.code,
)  # fmt: skip
def test_a_session_that_is_over_is_followed_by_another(over):
    answer = played(ROUTES.get(get(cookie_of("1"))), ASK, (Access("sess_" + "1".zfill(26)), over), LOG_IN)
    assert told(answer) == (200, None, kept("2", "1"))


def test_a_suspended_session_is_not_replaced_behind_the_host_s_back():
    answer = played(ROUTES.get(get(cookie_of("1"))), ASK, (Access("sess_" + "1".zfill(26)), SessionSuspended()))
    assert told(answer) == (401, "SESSION_SUSPENDED", None)


def test_an_access_token_of_a_suspended_session_is_kept_from_the_page():
    lent = AccessToken(
        access_token="an access token", access_token_expires_at=NOW, access_token_expires_in=600, suspended=True
    )
    answer = played(ROUTES.get(get(cookie_of("1"))), ASK, (Access("sess_" + "1".zfill(26)), lent))
    assert told(answer) == (401, "SESSION_SUSPENDED", None)
    assert "an access token" not in answer.json.decode()


def test_nobody_signed_in_is_401_and_the_cookie_stays():
    answer = played(ROUTES.get(get(cookie_of("1"))), (AskHost(), None))
    assert told(answer) == (401, "UNAUTHORIZED", None)


def test_a_blocked_customer_is_told_so():
    assert told(played(ROUTES.get(get()), ASK, (LogIn(ADA), CustomerBlocked())))[:2] == (403, "CUSTOMER_BLOCKED")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_site_logs_nobody_in(site):
    assert told(played(ROUTES.get(get(fetch_site=site)))) == (403, "CSRF_FAILED", None)


def test_of_two_cookies_the_one_that_is_the_user_s_counts():
    mixed = get("junk", cookie_of("3", user="ben"), cookie_of("1"))
    assert told(played(ROUTES.get(mixed), ASK, (Access("sess_" + "1".zfill(26)), ACCESS)))[0] == 200


@pytest.mark.parametrize("junk", ["", "junk", "x" * 100_000, '"quoted"', "é", "a=b=c", "\x00", "null"])
def test_a_cookie_that_is_junk_is_none(junk):
    assert told(played(ROUTES.get(get(junk)), ASK, LOG_IN))[0] == 200
    assert told(played(ROUTES.refresh(post(junk)), ASK))[:2] == (401, "REFRESH_TOKEN_INVALID")
    assert told(played(ROUTES.end(post(junk))))[0] == 200


def test_a_cookie_whose_proof_was_forged_gives_nothing_of_its_session():
    forged = cookie_of("1")[:-43] + "A" * 43
    ended = LogOut(token_of("1", "1")), RefreshTokenInvalid()
    assert played(ROUTES.get(get(forged)), ASK, ended, LOG_IN).headers["Set-Cookie"] == kept("2", "1")


# POST /session/refresh


def test_a_refresh_keeps_the_successor_and_answers_the_access_token():
    answer = played(ROUTES.refresh(post(cookie_of("1"))), ASK, (Refresh(token_of("1", "1")), pair_of("1", "2")))
    assert told(answer) == (200, None, kept("1", "2"))
    assert answer.body.keys() == {"sessionToken", "expiresAt", "expiresIn", "csrfToken"}


def test_both_who_refresh_at_once_are_given_the_same_cookie():
    """As the service answers the same successor within its grace; so it matters not whose answer is the last."""
    refreshed = Refresh(token_of("1", "1")), pair_of("1", "2")
    first, second = (played(ROUTES.refresh(post(cookie_of("1"))), ASK, refreshed) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "refused",
    [RefreshTokenInvalid(), RefreshTokenExpired(), RefreshTokenRevoked(), RefreshTokenReused()],
    ids=lambda error: error.code,
)
def test_a_refused_refresh_token_is_forgotten(refused):
    answer = played(ROUTES.refresh(post(cookie_of("1"))), ASK, (Refresh(token_of("1", "1")), refused))
    assert told(answer) == (401, refused.code, CLEARED)


def test_a_refresh_is_for_who_is_signed_in_alone():
    assert told(played(ROUTES.refresh(post(cookie_of("1"))), (AskHost(), None))) == (401, "UNAUTHORIZED", None)
    of_ben = post(cookie_of("1", user="ben"))
    assert told(played(ROUTES.refresh(of_ben), ASK)) == (401, "UNAUTHORIZED", None)


# POST /session/end


def test_an_end_ends_the_session_and_forgets_it():
    answer = played(ROUTES.end(post(cookie_of("1"))), (LogOut(token_of("1", "1")), Logout(tokens_revoked=1)))
    assert told(answer) == (200, None, CLEARED)
    assert answer.body == {"tokensRevoked": 1}


def test_an_end_of_what_is_over_is_one_too():
    answer = played(ROUTES.end(post(cookie_of("1"))), (LogOut(token_of("1", "1")), RefreshTokenRevoked()))
    assert (told(answer), answer.body) == ((200, None, CLEARED), {"tokensRevoked": 0})


def test_an_end_asks_for_no_user_and_without_a_cookie_for_nothing():
    assert played(ROUTES.end(post())).body == {"tokensRevoked": 0}


# Both


BOTH = pytest.mark.parametrize("route", [ROUTES.refresh, ROUTES.end], ids=["refresh", "end"])
UNPROVEN = {
    "without the header": post(cookie_of("1"), csrf=""),
    "with the token of another session": post(cookie_of("1"), csrf="2"),
    "with a token that is no text": replace(post(cookie_of("1")), csrf="é\ud800"),
    "from another site": post(cookie_of("1"), fetch_site="cross-site"),
    "from a sister domain": post(cookie_of("1"), fetch_site="same-site"),
    "from the address bar": post(cookie_of("1"), fetch_site="none"),
    "from another origin": post(cookie_of("1"), fetch_site=None, origin="https://evil.example"),
    "from nowhere": post(cookie_of("1"), fetch_site=None),
}


@BOTH
@pytest.mark.parametrize("facts", UNPROVEN.values(), ids=UNPROVEN)
def test_a_post_that_is_not_of_our_page_is_403_and_asks_the_service_nothing(route, facts):
    course = route(facts)
    try:
        assert next(course) == AskHost()
    except StopIteration as done:
        answer = done.value
    else:
        with pytest.raises(StopIteration) as stopped:
            course.send("ada")
        answer = stopped.value.value
    assert told(answer) == (403, "CSRF_FAILED", None)


@BOTH
def test_of_two_cookies_the_one_of_the_csrf_token_counts(route):
    course = route(post(cookie_of("3"), cookie_of("1")))
    effect = next(course)
    assert (course.send("ada") if effect == AskHost() else effect).refresh_token == token_of("1", "1")


# All of them

TROUBLES = {
    "limited": (RateLimited(retry_after_seconds=7), 429, "RATE_LIMITED", "7"),
    "away": (Unavailable("http://10.0.0.7 is silent", retry_after_seconds=5), 503, "UNAVAILABLE", "5"),
    "away, who knows how long": (Unavailable(), 503, "UNAVAILABLE", "1"),
    "broken": (InternalError(), 503, "UNAVAILABLE", "1"),
}
FAULTS = {
    "a wrong API key": Unauthorized(),
    "a key that may not": Forbidden(),
    "a field that breaks a rule": ValidationFailed(),
    "a conflict": Conflict(),
}
CALLS = {
    "log in": (ROUTES.get, get(), [ASK], LogIn(ADA)),
    "access": (ROUTES.get, get(cookie_of("1")), [ASK], Access("sess_" + "1".zfill(26))),
    "refresh": (ROUTES.refresh, post(cookie_of("1")), [ASK], Refresh(token_of("1", "1"))),
    "end": (ROUTES.end, post(cookie_of("1")), [], LogOut(token_of("1", "1"))),
}
EACH_CALL = pytest.mark.parametrize(("route", "facts", "before", "call"), CALLS.values(), ids=CALLS)


@EACH_CALL
@pytest.mark.parametrize(("trouble", "status", "code", "wait"), TROUBLES.values(), ids=TROUBLES)
def test_a_service_that_is_away_signs_nobody_out(route, facts, before, call, trouble, status, code, wait):
    answer = played(route(facts), *before, (call, trouble))
    assert told(answer) == (status, code, None)
    assert answer.headers["Retry-After"] == wait
    assert "10.0.0.7" not in answer.json.decode()


@EACH_CALL
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_what_the_host_has_to_mend_signs_nobody_out_and_is_told_to_its_log_alone(route, facts, before, call, fault):
    answer = played(route(facts), *before, (call, fault))
    assert told(answer) == (500, "INTERNAL_ERROR", None)
    assert answer.fault is fault


@pytest.mark.parametrize(
    ("route", "method", "allowed"),
    [(ROUTES.get, "HEAD", "GET"), (ROUTES.get, "POST", "GET"), (ROUTES.refresh, "GET", "POST"), (ROUTES.end, "GET", "POST")],
)  # fmt: skip
def test_another_method_does_nothing(route, method, allowed):
    answer = played(route(post(cookie_of("1"), method=method)))
    assert (told(answer)[:2], answer.headers["Allow"]) == ((405, "METHOD_NOT_ALLOWED"), allowed)


PARTS = st.sampled_from(
    [
        COOKIE,
        "=",
        ";",
        ".",
        " ",
        cookie_of("1"),
        token_of("1", "1"),
        PROOFS.csrf_token("sess_" + "1".zfill(26)),
        "é",
        "\x00",
    ]
)
ANYTHING = st.text() | st.lists(PARTS).map("".join)


@given(
    cookie=ANYTHING,
    csrf=st.none() | ANYTHING,
    origin=st.none() | ANYTHING,
    site=st.sampled_from([None, "same-origin", "none", "x"]),
    host=ANYTHING | st.just("shop.example"),
)
def test_whatever_is_sent_is_answered_and_asks_for_nothing_that_was_not_proven(cookie, csrf, origin, site, host):
    session, own = "sess_" + "1".zfill(26), cookie_of("1") in cookie
    for route, method in ((ROUTES.get, "GET"), (ROUTES.refresh, "POST"), (ROUTES.end, "POST")):
        facts = Facts(
            method=method, scheme="https", host=host, cookie=cookie, csrf=csrf, origin=origin, fetch_site=site
        )
        match first_call_or_answer(route(facts)):
            case Answer(status=status):
                assert status in {200, 401, 403}
            case LogIn() | LogOut() if method == "GET":
                pass  # a refresh token without a proof: the service is asked to end what it belongs to, and decides
            case Access(session_id):
                assert own
                assert session_id == session
            case Refresh(token) | LogOut(token):
                assert csrf == PROOFS.csrf_token(session)
                assert token == token_of("1", "1")
            case other:
                raise AssertionError(other)


def first_call_or_answer(course):
    """Return the first call to the service that a course asks for, or its answer, where it asks for none."""
    try:
        effect = next(course)
        return course.send("ada") if effect == AskHost() else effect
    except StopIteration as done:
        return done.value


def test_the_cookie_lives_as_long_as_the_service_says_whatever_the_host_s_clock():
    answer = played(ROUTES.get(get()), ASK, LOG_IN)
    assert "Max-Age=604800" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "told_by_host",
    ["", {}, {"external_user_id": ""}, {"external_user_id": 7}, 7, object(), b"ada", ["ada"], {"external_user_id": "a", "external_organization_id": 7}],
    ids=repr,
)  # fmt: skip
def test_a_get_user_that_returns_something_else_is_a_fault_of_the_host_and_logs_nobody_in(told_by_host):
    with pytest.raises(TypeError, match="get_user must return"):
        user_of(told_by_host)


def test_no_answer_shows_its_tokens_in_its_repr():
    answer = played(ROUTES.get(get()), ASK, LOG_IN)
    assert "an access token" not in repr(answer)
    assert "gp_refresh" not in repr(answer)
