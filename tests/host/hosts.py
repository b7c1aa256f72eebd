"""A business's site in each framework, with the session routes under ``/api``, in front of the world's service.

A request says in the header ``X-User`` who is signed in at the site; the user of ``at org_7`` in ``X-Org``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio.from_thread
import anyio.to_thread
import fastapi
import flask
import httpx2
import litestar

import django_settings

django_settings.configure()

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings
from django.urls import include, path

import guestpass.django
import guestpass.fastapi
import guestpass.flask
import guestpass.litestar
from guestpass.client import AsyncGuestpass, Guestpass

ORIGIN = "https://shop.example"


def who(headers: Any) -> Any:
    """Say who is signed in, as ``get_user`` does."""
    user, organization = headers.get("x-user"), headers.get("x-org")
    return {"external_user_id": user, "external_organization_id": organization} if user and organization else user


def get_user(request: Any) -> Any:
    return who(request.headers)


async def aget_user(request: Any) -> Any:
    return who(request.headers)


class Wire(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """The way from a site to the service: no socket, and it can be cut.

    A client that blocks does so in a thread, from which it asks the loop that the service runs in.
    """

    def __init__(self, app: Any) -> None:
        self._asgi = httpx2.ASGITransport(app=app)
        self.cut: Callable[[httpx2.Request], httpx2.Response | None] = lambda _: None
        self.requests: list[httpx2.Request] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = anyio.from_thread.run(self._whole, request)
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return self.cut(request) or await self._asgi.handle_async_request(request)

    async def _whole(self, request: httpx2.Request) -> httpx2.Response:
        sent = httpx2.Request(request.method, request.url, headers=request.headers, content=request.read())
        answer = await self.handle_async_request(sent)
        await answer.aread()
        return answer


class Cabin:
    """Serves a WSGI application from a thread, as its server does."""

    def __init__(self, app: Any) -> None:
        self._client = httpx2.Client(transport=httpx2.WSGITransport(app=app, raise_app_exceptions=False))

    async def request(self, *args: Any, **options: Any) -> httpx2.Response:
        self._client.cookies.clear()
        return await anyio.to_thread.run_sync(lambda: self._client.request(*args, **options))


class Deck:
    """Serves an ASGI application in the loop."""

    def __init__(self, app: Any) -> None:
        self._client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app, raise_app_exceptions=False))

    async def request(self, *args: Any, **options: Any) -> httpx2.Response:
        self._client.cookies.clear()
        return await self._client.request(*args, **options)


def in_fastapi(gp: Any, ask: Any, **options: Any) -> Deck:
    app = fastapi.FastAPI()
    app.include_router(guestpass.fastapi.session_routes(gp, ask, **options), prefix="/api")
    return Deck(app)


def in_flask(gp: Any, ask: Any, **options: Any) -> Cabin:
    app = flask.Flask("shop")
    app.register_blueprint(guestpass.flask.session_routes(gp, ask, **options), url_prefix="/api")
    return Cabin(app)


def in_litestar(gp: Any, ask: Any, **options: Any) -> Deck:
    routes = litestar.Router("/api", route_handlers=[guestpass.litestar.session_routes(gp, ask, **options)])
    return Deck(litestar.Litestar([routes], logging_config=None))


class Urls:
    """What Django takes for the module of an application's addresses."""

    def __init__(self, routes: Any) -> None:
        self.urlpatterns = [path("api/", include(routes))]


def in_django(gp: Any, ask: Any, **options: Any) -> Cabin:
    urls, handler = Urls(guestpass.django.session_routes(gp, ask, **options)), WSGIHandler()

    def app(environ: Any, start_response: Any) -> Any:
        with override_settings(ROOT_URLCONF=urls):
            return handler(environ, start_response)

    return Cabin(app)


def in_async_django(gp: Any, ask: Any, **options: Any) -> Deck:
    urls, handler = Urls(guestpass.django.session_routes(gp, ask, **options)), ASGIHandler()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with override_settings(ROOT_URLCONF=urls):
            await handler(scope, receive, send)

    return Deck(app)


# By framework, kind of client, and kind of get_user.
SITES: dict[str, tuple[Any, Any, Any]] = {
    "django": (in_django, Guestpass, get_user),
    "django, get_user async": (in_django, Guestpass, aget_user),
    "django, async": (in_async_django, AsyncGuestpass, aget_user),
    "django, async, get_user blocking": (in_async_django, AsyncGuestpass, get_user),
    "fastapi": (in_fastapi, AsyncGuestpass, aget_user),
    "fastapi, blocking": (in_fastapi, Guestpass, get_user),
    "flask": (in_flask, Guestpass, get_user),
    "flask, get_user async": (in_flask, Guestpass, aget_user),
    "litestar": (in_litestar, AsyncGuestpass, aget_user),
    "litestar, blocking": (in_litestar, Guestpass, get_user),
}


@dataclass
class Site:
    """One site, its client, and the way between them."""

    serving: Cabin | Deck
    wire: Wire
    slept: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, kind: str, world: Any, *, secret: str | None = None, ask: Any = None, **options: Any) -> Site:
        make, client, usual = SITES[kind]
        wire, slept = Wire(world.app), []

        async def note(seconds: float) -> None:
            slept.append(seconds)

        http = (httpx2.Client if client is Guestpass else httpx2.AsyncClient)(transport=wire)
        gp = client(
            secret or world.host.secret,
            base_url="http://127.0.0.1:8787",
            http_client=http,
            sleep=slept.append if client is Guestpass else note,
        )
        return cls(make(gp, ask or usual, **options), wire, slept)

    def browser(self, user: str | None = "ada", **options: Any) -> Browser:
        return Browser(self.serving, user, **options)


@dataclass
class Browser:
    """One browser with a page of the site open: it keeps cookies as browsers do, and the page its CSRF token."""

    serving: Cabin | Deck
    user: str | None
    origin: str = ORIGIN
    organization: str | None = None
    cookies: dict[str, str] = field(default_factory=dict)
    csrf: str = ""

    async def session(self, **headers: str) -> httpx2.Response:
        return await self.send("GET", "/api/session", headers)

    async def refresh(self, **headers: str) -> httpx2.Response:
        return await self.send("POST", "/api/session/refresh", {"x-guestpass-csrf": self.csrf} | headers)

    async def end(self, **headers: str) -> httpx2.Response:
        return await self.send("POST", "/api/session/end", {"x-guestpass-csrf": self.csrf} | headers)

    async def send(self, method: str, where: str, headers: dict[str, str]) -> httpx2.Response:
        told = {"sec-fetch-site": "same-origin", "x-user": self.user, "x-org": self.organization} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        told["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await self.serving.request(
            method, self.origin + where, headers={name: value for name, value in told.items() if value}
        )
        self._keep(answer)
        if answer.status_code == 200 and "csrfToken" in answer.json():
            self.csrf = answer.json()["csrfToken"]
        return answer

    def tab(self) -> Browser:
        """Open a second tab: it shares the cookies, and has a page of its own."""
        return Browser(self.serving, self.user, self.origin, self.organization, self.cookies, self.csrf)

    def _keep(self, answer: httpx2.Response) -> None:
        """Keep what RFC 6265bis lets a browser keep: a ``__Host-`` cookie has to be Secure, of Path=/ and of no domain."""
        for line in answer.headers.get_list("set-cookie"):
            pair, *attributes = (part.strip() for part in line.split(";"))
            name, _, value = pair.partition("=")
            rules = {key.lower(): told for key, _, told in (part.partition("=") for part in attributes)}
            assert rules.keys() <= {"path", "max-age", "httponly", "samesite", "secure"}, line
            assert (rules["path"], rules["samesite"], "httponly" in rules) == ("/", "Strict", True), line
            assert ("secure" in rules) == name.startswith("__Host-"), line
            if int(rules["max-age"]) > 0:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
