"""``deploy/envoy.yaml`` and ``deploy/traefik.yml``, read as their documentation says that Envoy and Traefik read them.

Neither runs here. What they do with a request is written down below, as far as our files use it, and is tried against the service.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
TOLD = tuple(
    f"x-guestpass-{name}" for name in ("user", "organization", "operations", "session", "project", "environment")
)


class Denied(Exception):
    """The client is answered, and the API sees nothing."""

    def __init__(self, status, headers=()):
        super().__init__(status)
        self.status = status
        self.headers = dict(headers)


class Envoy:
    """One listener with ext_authz filters of HTTP services."""

    def __init__(self):
        document = yaml.safe_load((DEPLOY / "envoy.yaml").read_text())
        [listener] = document["static_resources"]["listeners"]
        [chain] = listener["filter_chains"]
        [manager] = chain["filters"]
        self.manager = manager["typed_config"]
        *self.checks, router = self.manager["http_filters"]
        assert router["name"] == "envoy.filters.http.router"

    async def pass_on(self, http, method, path, headers):
        """Return the headers that the API is sent. Raises: Denied."""
        if any("_" in name for name, _ in headers):
            assert self.manager["common_http_protocol_options"]["headers_with_underscores_action"] == "REJECT_REQUEST"
            raise Denied(400)
        [early] = self.manager["early_header_mutation_extensions"]
        removed = {mutation["remove"] for mutation in early["typed_config"]["mutations"]}
        sent = [(name.lower(), value) for name, value in headers if name.lower() not in removed]
        route = self._route(path)
        for check in self.checks:
            if not route.get("typed_per_filter_config", {}).get(check["name"], {}).get("disabled"):
                sent = await self._checked(http, check["typed_config"], method, path, sent)
        return sent

    def _route(self, path):
        [host] = self.manager["route_config"]["virtual_hosts"]
        for route in host["routes"]:
            prefix = route["match"]["path_separated_prefix"]
            if path.partition("?")[0] == prefix or path.startswith((prefix + "/", prefix + "?")):
                return route
        return {}

    @staticmethod
    async def _checked(http, config, method, path, sent):
        """The path of the request is appended; the method is kept; the body is not sent."""
        service = config["http_service"]
        asked, _, query = (service["path_prefix"] + path).partition("?")
        shown = {"authorization", *(pattern["exact"] for pattern in config["allowed_headers"]["patterns"])}
        headers = [("content-length", "0"), *((name, value) for name, value in sent if name in shown)]
        reply = await http.request(method, asked, query=query, headers=headers)
        if reply.status >= 500:
            raise Denied({"ServiceUnavailable": 503}[config["status_on_error"]["code"]])
        if reply.status != 200:
            raise Denied(reply.status, reply.headers)
        patterns = service["authorization_response"]["allowed_upstream_headers"]["patterns"]
        names = {pattern["exact"] for pattern in patterns} & {name for name, _ in reply.headers}
        kept = [(name, value) for name, value in sent if name not in names]
        return kept + [(name, value) for name, value in reply.headers if name in names]


class Traefik:
    """Routers of a file provider, with the middlewares that our file has."""

    def __init__(self):
        document = yaml.safe_load((DEPLOY / "traefik.yml").read_text())["http"]
        self._routers = document["routers"].values()
        self.middlewares = document["middlewares"]

    async def pass_on(self, http, method, path, headers):
        """Return the headers that the API is sent. Raises: Denied."""
        sent = {}
        for name, value in headers:
            sent.setdefault(_canonical(name), []).append(value)
        [router] = [
            one for one in self._routers if f"PathPrefix(`/{path.split('/')[1].partition('?')[0]}`)" in one["rule"]
        ]
        for name in router["middlewares"]:
            [(kind, options)] = self.middlewares[name].items()
            if kind == "headers":
                for header, value in options["customRequestHeaders"].items():
                    assert value == "", "an empty value deletes"
                    sent.pop(_canonical(header), None)
            else:
                assert kind == "forwardAuth"
                await self._forward(http, options, method, path, sent)
        for name in ", ".join(sent.pop("Connection", [])).split(", "):  # headers of one hop go no further
            sent.pop(_canonical(name), None)
        return [(name.lower(), value) for name, values in sent.items() for value in values]

    @staticmethod
    async def _forward(http, options, method, path, sent):
        """A GET of the address, with what is named of the request, and the rest told by X-Forwarded headers."""
        told = [("x-forwarded-method", method), ("x-forwarded-uri", path), ("x-forwarded-host", "api.example.com")]
        told += [("x-forwarded-proto", "https"), ("x-forwarded-for", "203.0.113.7")]
        for name in options["authRequestHeaders"]:
            told += [(name.lower(), value) for value in sent.get(_canonical(name), [])]
        reply = await http.get(urlsplit(options["address"]).path, headers=told)
        if not 200 <= reply.status < 300:
            raise Denied(reply.status, reply.headers)
        for name in options["authResponseHeaders"]:
            sent.pop(_canonical(name), None)
            found = [value for key, value in reply.headers if key == name.lower()]
            if found:
                sent[_canonical(name)] = found


def _canonical(name):
    """As Go writes the names of headers."""
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


@pytest.fixture(params=[Envoy, Traefik])
def gateway(request):
    return request.param()


async def passed(gateway, world, path, token, *headers, method="GET"):
    shown = () if token is None else (("Authorization", f"Bearer {token}"),)
    return await gateway.pass_on(world.http, method, path, [*headers, *shown])


async def denied(gateway, world, path, token, **options):
    with pytest.raises(Denied) as answered:
        await passed(gateway, world, path, token, **options)
    return answered.value


def told_of(sent):
    """What the API is told, header by header; each at most once."""
    pairs = [(name, value) for name, value in sent if "guestpass" in name]
    assert len(pairs) == len(dict(pairs)), pairs
    return dict(pairs)


async def test_the_api_is_told_whose_token_passed(gateway, world):
    ada = await world.live.mint("ada", allowedOperations=["read_invoices"])
    for path in ("/invoices", "/invoices/7?page=2&operation=pay_invoices"):
        told = told_of(await passed(gateway, world, path, ada.token))
        assert sorted(told) == sorted(TOLD)
        assert (told["x-guestpass-user"], told["x-guestpass-environment"]) == ("ada", "live")


@pytest.mark.parametrize("spelling", ["x-guestpass-", "x_guestpass-", "x-guestpass_", "x_guestpass_"])
@pytest.mark.parametrize("written", [str.title, str.lower, str.upper])
async def test_nothing_that_a_client_says_of_itself_arrives(gateway, world, spelling, written):
    ada = await world.live.mint("ada", allowedOperations=["read_invoices"])
    lies = [(written(name.replace("x-guestpass-", spelling)), "admin") for name in TOLD]
    if "_" in spelling and isinstance(gateway, Envoy):
        with pytest.raises(Denied):
            await passed(gateway, world, "/invoices", ada.token, *lies)
    else:
        sent = await passed(gateway, world, "/invoices", ada.token, *lies)
        assert told_of(sent).keys() == set(TOLD)
        assert "admin" not in str(sent)


async def test_a_client_cannot_have_what_the_api_is_told_taken_away(gateway, world):
    ada = await world.live.mint("ada", allowedOperations=["read_invoices"])
    lie = ("Connection", "close, X-Guestpass-User, X-Guestpass-Organization")
    assert told_of(await passed(gateway, world, "/invoices", ada.token, lie))["x-guestpass-user"] == "ada"


async def test_each_place_has_its_operation(gateway, world):
    reader = await world.live.mint(allowedOperations=["read_invoices"])
    payer = await world.live.mint(allowedOperations=["pay_invoices"])
    assert told_of(await passed(gateway, world, "/payments", payer.token, method="POST"))
    assert (await denied(gateway, world, "/payments", reader.token, method="POST")).status == 403
    assert (await denied(gateway, world, "/invoices", payer.token)).status == 403


async def test_no_other_token_passes(gateway, world):
    """None, a forged one, one of the other environment, one of a neighbour."""
    forged = (await world.live.mint("ada")).token[:-4] + "AAAA"
    for token in (None, forged, (await world.mint()).token, (await world.neighbour.mint()).token):
        answered = await denied(gateway, world, "/invoices", token)
        assert answered.status == 401
        assert answered.headers["www-authenticate"].startswith("Bearer")


async def test_the_client_is_answered_what_a_page_needs(gateway, world):
    ada = await world.live.mint(expiresIn=60)
    world.clock.advance(seconds=60)
    assert (await denied(gateway, world, "/invoices", ada.token)).headers["guestpass-retry"] == "token"


async def test_where_guestpass_cannot_say_nobody_is_signed_out(gateway, world):
    ada = await world.live.mint()
    with world.store.away():
        assert (await denied(gateway, world, "/invoices", ada.token)).status == 503


async def test_a_use_is_one_use(gateway, world):
    once = await world.live.mint(maxUses=1)
    assert await passed(gateway, world, "/invoices", once.token)
    assert (await denied(gateway, world, "/invoices", once.token)).status == 401


def test_envoy_asks_about_what_no_route_names():
    """A route that was forgotten is closed: of several readings of a missing route the one that fails so."""
    envoy = Envoy()
    for check in envoy.checks:
        assert check["typed_config"]["failure_mode_allow"] is False
    [host] = envoy.manager["route_config"]["virtual_hosts"]
    for route in host["routes"]:
        asked = [check["name"] for check in envoy.checks if check["name"] not in route["typed_per_filter_config"]]
        assert len(asked) == 1
    assert envoy._route("/other") == {}


def test_traefik_deletes_before_it_asks():
    traefik = Traefik()
    for router in traefik._routers:
        assert router["middlewares"][0] == "as-sent-by-nobody"
    deleted = {name.lower() for name in traefik.middlewares["as-sent-by-nobody"]["headers"]["customRequestHeaders"]}
    spellings = {
        f"x{first}guestpass{second}{name.rpartition('-')[2]}" for name in TOLD for first in "-_" for second in "-_"
    }
    assert deleted == {"connection", *spellings}
