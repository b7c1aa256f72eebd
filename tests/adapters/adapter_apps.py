"""The same small API in every framework: each is told nothing but its verifier, and is called in this process.

GET  /invoices    the operation read_invoices
POST /invoices    the operation pay_invoices
GET  /fresh       read_invoices, with a token that is at most 60 s old
GET  /twice       read_invoices, asked for twice on the way
GET  /me          any good token
GET  /hello       with or without one
GET  /forgotten   asks for the session, and nobody has required one
WS   /live        read_invoices, where the framework speaks WebSocket
"""

import json

import adapter_django
import fastapi
import flask
import litestar
from adapter_calls import AsgiCaller, WsgiCaller
from adapter_django import FRESH_SECONDS, told
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

import guestpass.asgi
import guestpass.fastapi
import guestpass.flask
import guestpass.litestar
import guestpass.wsgi


def in_starlette(verifier):
    auth = guestpass.asgi.SessionAuth(verifier)

    async def required(request):
        return JSONResponse(told(auth.session(request.scope)))

    async def hello(request):
        return JSONResponse(told(await auth.optional(request.scope)))

    async def live(websocket):
        await websocket.accept()
        await websocket.close(reason=auth.session(websocket.scope).user_id)

    def only(*demands):
        return [Middleware(auth.require(*names, **options)) for names, options in demands]

    read, pay, anyone = (("read_invoices",), {}), (("pay_invoices",), {}), ((), {})
    fresh = ("read_invoices",), {"max_age_seconds": FRESH_SECONDS}
    app = Starlette(
        routes=[
            Route("/invoices", required, middleware=only(read)),
            Route("/invoices", required, methods=["POST"], middleware=only(pay)),
            Route("/fresh", required, middleware=only(fresh)),
            Route("/twice", required, middleware=only(anyone, read)),
            Route("/me", required, middleware=only(anyone)),
            Route("/hello", hello),
            Route("/forgotten", required),
            WebSocketRoute("/live", live, middleware=only(read)),
        ]
    )
    return auth, AsgiCaller(app)


def in_fastapi(verifier):
    auth = guestpass.fastapi.SessionAuth(verifier)
    app = fastapi.FastAPI()
    auth.install(app)
    read, pay = fastapi.Depends(auth.require("read_invoices")), fastapi.Depends(auth.require("pay_invoices"))
    anyone, maybe = fastapi.Depends(auth.require()), fastapi.Depends(auth.optional)
    fresh = fastapi.Depends(auth.require("read_invoices", max_age_seconds=FRESH_SECONDS))

    @app.get("/invoices")
    async def invoices(session=read):
        return told(session)

    @app.post("/invoices")
    async def paid(session=pay):
        return told(session)

    @app.get("/fresh")
    def invoices_now(session=fresh):
        return told(session)

    @app.get("/twice", dependencies=[anyone])
    async def twice(session=read):
        return told(session)

    @app.get("/me")
    async def me(session=anyone):
        return told(session)

    @app.get("/hello")
    async def hello(session=maybe):
        return told(session)

    @app.get("/forgotten")
    async def forgotten(request: fastapi.Request):
        return told(auth.admitted(request.scope))

    @app.websocket("/live")
    async def live(websocket: fastapi.WebSocket, session=read):
        await websocket.accept()
        await websocket.close(reason=session.user_id)

    return auth, AsgiCaller(app)


def in_flask(verifier):
    auth = guestpass.flask.SessionAuth(verifier)
    app = flask.Flask("invoices")
    app.testing = True

    @app.get("/invoices")
    @auth.require("read_invoices")
    def invoices():
        return told(auth.session())

    @app.post("/invoices")
    @auth.require("pay_invoices")
    def pay():
        return told(auth.session())

    @app.get("/fresh")
    @auth.require("read_invoices", max_age_seconds=FRESH_SECONDS)
    def fresh():
        return told(auth.session())

    @app.get("/twice")
    @auth.require()
    @auth.require("read_invoices")
    def twice():
        return told(auth.session())

    @app.get("/me")
    @auth.require()
    def me():
        return told(auth.session())

    @app.get("/hello")
    def hello():
        return told(auth.optional())

    @app.get("/forgotten")
    def forgotten():
        return told(auth.session())

    return auth, WsgiCaller(app)


def in_asgi(verifier):
    auth = guestpass.asgi.SessionAuth(verifier)

    async def answer(send, value):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(value).encode()})

    async def required(scope, _, send):
        if scope["type"] == "http":
            await answer(send, told(auth.session(scope)))
        else:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "reason": auth.session(scope).user_id})

    async def hello(scope, _, send):
        await answer(send, told(await auth.optional(scope)))

    read = auth.require("read_invoices")
    routes = {
        "GET /invoices": read(required),
        "POST /invoices": auth.require("pay_invoices")(required),
        "GET /fresh": auth.require("read_invoices", max_age_seconds=FRESH_SECONDS)(required),
        "GET /twice": auth.require()(read(required)),
        "GET /me": auth.require()(required),
        "GET /hello": hello,
        "GET /forgotten": required,
        "WS /live": read(required),
    }

    async def app(scope, receive, send):
        await routes[f"{scope.get('method', 'WS')} {scope['path']}"](scope, receive, send)

    return auth, AsgiCaller(app)


def in_wsgi(verifier):
    auth = guestpass.wsgi.SessionAuth(verifier)

    def answer(start_response, value):
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(value).encode()]

    def required(environ, start_response):
        return answer(start_response, told(auth.session(environ)))

    def hello(environ, start_response):
        return answer(start_response, told(auth.optional(environ)))

    read = auth.require("read_invoices")
    routes = {
        "GET /invoices": read(required),
        "POST /invoices": auth.require("pay_invoices")(required),
        "GET /fresh": auth.require("read_invoices", max_age_seconds=FRESH_SECONDS)(required),
        "GET /twice": auth.require()(read(required)),
        "GET /me": auth.require()(required),
        "GET /hello": hello,
        "GET /forgotten": required,
        "HEAD /invoices": read(required),
    }

    def app(environ, start_response):
        return routes[f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"](environ, start_response)

    return auth, WsgiCaller(app)


def in_litestar(verifier):
    auth = guestpass.litestar.SessionAuth(verifier)
    read, pay, anyone = auth.require("read_invoices"), auth.require("pay_invoices"), auth.require()
    fresh = auth.require("read_invoices", max_age_seconds=FRESH_SECONDS)

    async def required(request: litestar.Request) -> dict[str, str | None]:
        assert request.auth is auth.session(request)
        return told(request.auth)

    async def hello(request: litestar.Request) -> dict[str, str | None]:
        return told(await auth.optional(request))

    async def forgotten(request: litestar.Request) -> dict[str, str | None]:
        return told(auth.session(request))

    async def live(socket: litestar.WebSocket) -> None:
        await socket.accept()
        await socket.close(reason=socket.auth.user_id)

    app = litestar.Litestar(
        [
            litestar.get("/invoices", guards=[read], name="read")(required),
            litestar.post("/invoices", guards=[pay], status_code=200)(required),
            litestar.get("/fresh", guards=[fresh])(required),
            litestar.get("/twice", guards=[anyone, read])(required),
            litestar.get("/me", guards=[anyone])(required),
            litestar.get("/hello")(hello),
            litestar.get("/forgotten")(forgotten),
            litestar.websocket("/live", guards=[read])(live),
        ],
        on_app_init=[auth.on_app_init],
        logging_config=None,  # else it configures that of the whole process
    )
    return auth, AsgiCaller(app)


ATTACHING = {
    "asgi": in_asgi,
    "fastapi": in_fastapi,
    "flask": in_flask,
    "litestar": in_litestar,
    "starlette": in_starlette,
    "wsgi": in_wsgi,
    "django": adapter_django.in_django,
    "django, async": adapter_django.in_async_django,
}
# In REST framework it is the attaching that refuses a bad token; see its own tests.
MAKERS = {**ATTACHING, "django rest framework": adapter_django.in_drf}
