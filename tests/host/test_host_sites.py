"""A site in each framework keeps its users signed in, in front of the service itself."""

import base64
import json

import anyio
import fastapi
import httpx2
import pytest
from django.core.exceptions import PermissionDenied
from hosts import SITES, Site
from litestar.exceptions import PermissionDeniedException
from werkzeug.exceptions import Forbidden

import guestpass.flask
from guestpass import AsyncGuestpass

COOKIE = "__Host-gp_refresh_test"


def claims_of(answer):
    segment = answer.json()["sessionToken"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


async def test_who_is_signed_in_gets_a_token_a_cookie_and_a_csrf_token(site, world):
    ada = site.browser()
    answer = await ada.session()
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"sessionToken", "expiresAt", "expiresIn", "csrfToken"}
    assert claims_of(answer)["sub"] == "ada"
    assert answer.headers["cache-control"] == "no-store"
    assert {"Cookie", "Authorization"} <= {name.strip() for name in answer.headers["vary"].split(",")}
    assert list(ada.cookies) == [COOKIE]
    assert not [name for name in answer.headers if name.startswith("access-control")]
    [shown] = await world.host.sessions(externalUserId="ada")
    assert (shown["renewable"], shown["status"]) == (True, "active")


async def test_a_get_never_rotates(site):
    ada = site.browser()
    first = claims_of(await ada.session())
    kept = dict(ada.cookies)
    for _ in range(3):
        answer = await ada.session()
        assert claims_of(answer)["sid"] == first["sid"]
        assert "set-cookie" not in answer.headers
    assert ada.cookies == kept


async def test_a_refresh_rotates_and_goes_on_with_the_same_session(site):
    ada = site.browser()
    first, kept = claims_of(await ada.session()), dict(ada.cookies)
    answer = await ada.refresh()
    assert (answer.status_code, claims_of(answer)["sid"]) == (200, first["sid"])
    assert ada.cookies != kept
    assert (await ada.refresh()).status_code == 200
    assert claims_of(await ada.session())["sid"] == first["sid"]


async def test_nobody_is_401_never_500_and_keeps_the_cookie(site):
    ada = site.browser()
    await ada.session()
    kept, ada.user = dict(ada.cookies), None
    for answer in (await ada.session(), await ada.refresh()):
        assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "guestpass-retry" not in answer.headers
    assert ada.cookies == kept


@pytest.mark.parametrize(
    ("kind", "refusal"),
    [
        ("django", PermissionDenied()),
        ("django, async", PermissionDenied()),
        ("fastapi", fastapi.HTTPException(403)),
        ("flask", Forbidden()),
        ("litestar", PermissionDeniedException()),
    ],
)
async def test_what_get_user_raises_is_for_the_framework(world, kind, refusal):
    def get_user(_):
        raise refusal

    site = Site.of(kind, world, ask=get_user)
    assert (await site.browser().session()).status_code == 403
    assert site.wire.requests == []


async def test_two_tabs_that_refresh_at_once_both_get_a_token_and_one_cookie(site):
    ada = site.browser()
    await ada.session()
    answers = []

    async def refresh(tab):
        answers.append(await tab.refresh())

    tabs = [site.browser() for _ in range(4)]
    async with anyio.create_task_group() as group:
        for tab in tabs:
            tab.cookies, tab.csrf = dict(ada.cookies), ada.csrf
            group.start_soon(refresh, tab)
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({tab.cookies[COOKIE] for tab in tabs}) == 1
    assert (await tabs[0].refresh()).status_code == 200


async def test_the_tab_whose_answer_was_lost_is_answered_the_same(site):
    ada = site.browser()
    await ada.session()
    lost = ada.tab()
    lost.cookies = dict(ada.cookies)
    await lost.refresh()  # and the answer never arrived
    assert (await ada.refresh()).status_code == 200
    assert ada.cookies == lost.cookies


async def test_an_answer_that_comes_a_whole_refresh_late_is_mended_by_the_next(site):
    ada = site.browser()
    await ada.session()
    late = ada.tab()
    late.cookies = dict(ada.cookies)
    await ada.refresh()
    await late.refresh()  # the same successor, under way to the browser
    await ada.refresh()
    newest = ada.cookies[COOKIE]
    ada.cookies[COOKIE] = late.cookies[COOKIE]  # and now it arrives
    assert (await ada.refresh()).status_code == 200
    assert ada.cookies[COOKIE] == newest
    assert (await ada.refresh()).status_code == 200


async def test_another_user_ends_the_session_of_the_one_before(site, world):
    browser = site.browser("ada")
    await browser.session()
    browser.user = "ben"
    assert claims_of(await browser.session())["sub"] == "ben"
    [of_ada] = await world.host.sessions(externalUserId="ada")
    assert of_ada["status"] == "revoked"
    assert (await browser.refresh()).status_code == 200


async def test_a_page_of_the_user_before_cannot_use_the_cookie_of_the_next(site):
    browser = site.browser("ada")
    await browser.session()
    old_page = browser.tab()
    browser.user = old_page.user = "ben"
    await browser.session()
    answer = await old_page.refresh()
    assert (answer.status_code, answer.json()["code"]) == (403, "CSRF_FAILED")
    assert claims_of(await old_page.session())["sub"] == "ben"
    assert (await old_page.refresh()).status_code == 200


async def test_another_organization_is_another_session(site, world):
    ada = site.browser(organization="org_1")
    first = claims_of(await ada.session())
    ada.organization = "org_2"
    assert claims_of(await ada.session())["sid"] != first["sid"]
    shown = {s["externalOrganizationId"]: s["status"] for s in await world.host.sessions(externalUserId="ada")}
    assert shown == {"org_1": "revoked", "org_2": "active"}


async def test_an_end_ends_the_session_and_forgets_it(site, world):
    ada = site.browser()
    await ada.session()
    answer = await ada.end()
    assert (answer.status_code, answer.json()) == (200, {"tokensRevoked": 1})
    assert ada.cookies == {}
    [shown] = await world.host.sessions(externalUserId="ada")
    assert shown["status"] == "revoked"
    assert (await ada.end()).json() == {"tokensRevoked": 0}


async def test_a_session_that_was_revoked_is_followed_by_another_at_the_next_get(site, world):
    ada = site.browser()
    first = claims_of(await ada.session())
    await world.host.revoke(id=first["sid"])
    refused = await ada.refresh()
    assert (refused.status_code, refused.json()["code"]) == (401, "REFRESH_TOKEN_REVOKED")
    assert ada.cookies == {}
    assert claims_of(await ada.session())["sid"] != first["sid"]


async def test_a_get_with_the_cookie_of_a_revoked_session_logs_in_anew(site, world):
    ada = site.browser()
    first = claims_of(await ada.session())
    await world.host.revoke(id=first["sid"])
    assert claims_of(await ada.session())["sid"] != first["sid"]


async def test_a_stolen_cookie_that_is_used_later_ends_the_session_of_both(site, world):
    ada = site.browser()
    await ada.session()
    thief = ada.tab()
    thief.cookies = dict(ada.cookies)
    await ada.refresh()
    world.clock.advance(seconds=31)
    answer = await thief.refresh()
    assert (answer.status_code, answer.json()["code"]) == (401, "REFRESH_TOKEN_REUSED")
    assert thief.cookies == {}
    assert (await ada.refresh()).json()["code"] == "REFRESH_TOKEN_REVOKED"
    assert (await ada.session()).status_code == 200  # the site still knows its user


async def test_a_suspended_session_is_401_until_the_site_logs_its_user_in_itself(site, world):
    await world.set(on_suspicion="suspend")
    ada = site.browser()
    await ada.session()
    world.clock.advance(seconds=73 * 3600)  # the first refresh after 72 h is odd
    assert (await ada.refresh()).status_code == 200
    kept = dict(ada.cookies)
    for _ in range(2):
        answer = await ada.session()
        assert (answer.status_code, answer.json()["code"]) == (401, "SESSION_SUSPENDED")
    assert ada.cookies == kept
    await world.host.login("ada")
    assert (await ada.session()).status_code == 200
    assert ada.cookies != kept


async def test_a_stolen_cookie_alone_gets_nothing_from_the_site(site):
    ada = site.browser()
    await ada.session()
    thief = ada.tab()
    thief.user = None  # the site's own login was not stolen
    for answer in (await thief.session(), await thief.refresh()):
        assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")
    thief.user = "mallory"
    assert claims_of(await thief.session())["sub"] == "mallory"


@pytest.mark.parametrize("trouble", ["503", "silence"])
async def test_a_service_that_is_away_signs_nobody_out(site, trouble):
    ada = site.browser()
    await ada.session()
    kept = dict(ada.cookies)

    def cut(request):
        if trouble == "silence":
            raise httpx2.ReadTimeout("", request=request)
        return httpx2.Response(503, json={"code": "UNAVAILABLE", "message": "."}, headers={"retry-after": "11"})

    site.wire.cut = cut
    for call in (ada.session, ada.refresh, ada.end):
        answer = await call()
        assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
        assert answer.headers["retry-after"] == ("1" if trouble == "silence" else "11")
    assert ada.cookies == kept
    site.wire.cut = lambda _: None
    assert (await ada.refresh()).status_code == 200


JUNK = {
    "nothing like a token": "junk",
    "quoted": '"gp_refresh_test_x.y"',
    "oversized": "x" * 6000,
    "another environment's": "gp_refresh_live_" + "0" * 26 + "a" * 75 + "." + "A" * 43,
    "well-formed and never ours": "gp_refresh_test_" + "0" * 26 + "a" * 75 + "." + "A" * 43,
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
async def test_a_cookie_that_is_junk_is_no_error(site, junk):
    ada = site.browser()
    answer = await site.serving.request(
        "GET", f"{ada.origin}/api/session", headers=[(b"x-user", b"ada"), (b"cookie", f"{COOKIE}={junk}".encode())]
    )  # fmt: skip
    assert answer.status_code == 200
    ada.cookies[COOKIE] = junk
    ada.csrf = "x"
    assert (await ada.refresh()).status_code in {401, 403}
    assert (await ada.end()).status_code in {200, 403}


async def test_two_cookies_of_one_name_are_no_error(site):
    ada = site.browser()
    first = claims_of(await ada.session())
    double = f"{COOKIE}=junk; {COOKIE}={ada.cookies[COOKIE]}; {COOKIE}=x"
    headers = {"x-user": "ada", "cookie": double, "sec-fetch-site": "same-origin", "x-guestpass-csrf": ada.csrf}
    answer = await site.serving.request("GET", f"{ada.origin}/api/session", headers=headers)
    assert claims_of(answer)["sid"] == first["sid"]
    answer = await site.serving.request("POST", f"{ada.origin}/api/session/refresh", headers=headers)
    assert answer.status_code == 200


FOREIGN = {
    "another site": {"sec_fetch_site": "cross-site", "origin": "https://evil.example"},
    "a sister domain": {"sec_fetch_site": "same-site", "origin": "https://blog.shop.example"},
    "an old browser on another site": {"sec_fetch_site": "", "origin": "https://evil.example"},
    "no header at all": {"sec_fetch_site": ""},
    "no CSRF token": {"x_guestpass_csrf": ""},
    "a wrong CSRF token": {"x_guestpass_csrf": "A" * 43},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
async def test_a_post_that_is_not_of_our_own_page_changes_nothing(site, headers):
    ada = site.browser()
    await ada.session()
    kept, asked = dict(ada.cookies), len(site.wire.requests)
    for call in (ada.refresh, ada.end):
        answer = await call(**headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "CSRF_FAILED")
    assert (ada.cookies, len(site.wire.requests)) == (kept, asked)


async def test_a_page_of_another_site_cannot_make_us_log_its_visitor_in(site):
    answer = await site.browser().session(sec_fetch_site="cross-site")
    assert (answer.status_code, answer.json()["code"]) == (403, "CSRF_FAILED")
    assert site.wire.requests == []


async def test_a_head_logs_nobody_in(site):
    answer = await site.browser().send("HEAD", "/api/session", {})
    assert answer.status_code == 405
    assert site.wire.requests == []


async def test_on_localhost_the_cookie_has_a_plain_name(site):
    ada = site.browser(origin="http://localhost:8000")
    await ada.session()
    assert list(ada.cookies) == ["gp_refresh_test"]
    assert (await ada.refresh()).status_code == 200


async def test_a_live_key_has_no_plain_name(world):
    for kind in SITES:
        ada = Site.of(kind, world, secret=world.live.secret).browser(origin="http://localhost:8000")
        await ada.session()
        assert list(ada.cookies) == ["__Host-gp_refresh_live"]


async def test_a_cookie_outlives_its_api_key_s_secret_where_the_earlier_one_is_told(world):
    new = await world.key("test")
    for kind in SITES:
        ada = Site.of(kind, world).browser()
        first = claims_of(await ada.session())
        ada.serving = Site.of(kind, world, secret=new.secret, earlier_secrets=[world.host.secret]).serving
        assert claims_of(await ada.session())["sid"] == first["sid"]
        assert (await ada.refresh()).status_code == 200
        ada.serving = Site.of(kind, world, secret=new.secret).serving  # the refresh sealed it anew
        assert claims_of(await ada.session())["sid"] == first["sid"]


async def test_without_the_earlier_secret_the_user_is_logged_in_anew(world):
    new = await world.key("test")
    ada = Site.of("fastapi", world).browser()
    first = claims_of(await ada.session())
    ada.serving = Site.of("fastapi", world, secret=new.secret).serving
    assert (await ada.refresh()).json()["code"] == "CSRF_FAILED"
    assert claims_of(await ada.session())["sid"] != first["sid"]


async def test_a_blocked_customer_is_told_so(site, world):
    ada = site.browser()
    await ada.session()
    await world.host.revoke_user("ada", block=True)
    answer = await ada.session()
    assert (answer.status_code, answer.json()["code"]) == (403, "CUSTOMER_BLOCKED")


async def test_a_key_that_may_not_mint_signs_nobody_out(world, caplog):
    reader = await world.key("test", can=["read"])
    for kind in SITES:
        answer = await Site.of(kind, world, secret=reader.secret).browser().session()
        assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL_ERROR")
    assert "session route failed" in caplog.text


async def test_flask_takes_no_client_of_one_event_loop(world):
    async with AsyncGuestpass(world.host.secret) as gp:
        with pytest.raises(TypeError, match="give session_routes\\(\\) a Guestpass"):
            guestpass.flask.session_routes(gp, lambda _: None)


async def test_one_earlier_secret_is_not_taken_for_a_list_of_letters(world):
    with pytest.raises(TypeError, match="a list of secrets"):
        Site.of("fastapi", world, earlier_secrets=world.host.secret)


async def test_the_request_id_of_the_caller_is_kept(site):
    answer = await site.browser(None).session(x_request_id="req_of_ours")
    assert answer.headers["x-request-id"] == answer.json()["requestId"] == "req_of_ours"


async def test_no_token_is_logged(site, caplog):
    caplog.set_level("DEBUG")
    ada = site.browser()
    await ada.session()
    await ada.refresh()
    await ada.refresh(x_guestpass_csrf="A" * 43)
    assert ada.cookies[COOKIE].partition(".")[0] not in caplog.text
    assert ada.csrf not in caplog.text
