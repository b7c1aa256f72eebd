"""Every attack family against the SDK, for each algorithm, with keys that are new in each run: none is accepted.

What an attacker may have: good tokens, every public key, keys of his own. What only the issuer has is tried as well,
where the issuer's own signature stands under a lie.
"""

import json

import pytest
from forging import EVIL, PREFIX, der_of, macced, parts, public_forms, signed, written
from verifying import Api

from guestpass.core.tokens import kinds
from guestpass.errors import GuestpassError
from guestpass.testing.issuer import new_key

ALGORITHMS = ("ES256", "EdDSA", "RS256", "HS256")
OWN_PATHS = {"/test/.well-known/jwks.json", "/test/status-lists/1", "/test/status-lists/cuts"}


@pytest.fixture(params=ALGORITHMS)
def victim(request, service):
    """An issuer with one algorithm, an API that trusts it, and a good token that was seen."""
    issuer = service.issuer(algorithm=request.param)
    api = Api(issuer)
    api.good = issuer.mint("user_42", operations=["read"])
    assert api.code(api.good) == "ok"
    return api


def none_is_accepted(api, tokens):
    """Each is refused with a code of the token's own fault, and nobody is asked but the issuer."""
    tokens = list(tokens)
    assert tokens
    for token in tokens:
        with pytest.raises(GuestpassError) as refused:
            api.verify(token)
        assert refused.value.status == 401, refused.value
        assert refused.value.code.startswith("TOKEN_")
    assert set(api.asked) <= OWN_PATHS
    assert api.code(api.good) == "ok", "and the good one is as good as before"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "none ", "", " ", "null", "n\u043ene"])
def test_no_signature(victim, alg):
    header, payload, signature = parts(victim.good)
    for changed in (header | {"alg": alg}, {"alg": alg}, {"alg": alg, "typ": header["typ"]}):
        none_is_accepted(
            victim, [written(changed, payload), written(changed, payload, signature), written(changed, payload)[:-1]]
        )


def test_a_public_key_as_the_secret(victim):
    """RS/ES to HS: what is published must never work as a secret."""
    header, payload, _ = parts(victim.good)
    secrets = public_forms(victim.issuer.key) + public_forms(victim.issuer.list_key)
    forms = [header | {"alg": "HS256"}, header, {"alg": "HS256", "typ": header["typ"]}]
    forms += [header | {"alg": name} for name in ("HS384", "HS512", "hs256")]
    none_is_accepted(victim, (macced(form, payload, secret) for secret in secrets for form in forms))


def test_another_key_under_the_issuers_name(victim):
    header, payload, _ = parts(victim.good)
    for algorithm in ALGORITHMS:
        mine = new_key(algorithm)
        none_is_accepted(victim, [signed(header, payload, mine), signed(header | {"alg": algorithm}, payload, mine)])


def test_an_algorithm_that_is_not_the_keys(victim):
    header, payload, signature = parts(victim.good)
    names = {
        "ES256",
        "ES384",
        "ES512",
        "ES256K",
        "EdDSA",
        "Ed25519",
        "RS256",
        "RS384",
        "PS256",
        "HS256",
        "ECDH-ES",
        "dir",
    }
    for name in names - {header["alg"]}:
        none_is_accepted(victim, [written(header | {"alg": name}, payload, signature),
                                  signed(header | {"alg": name}, payload, victim.issuer.key)])  # fmt: skip


def test_a_key_that_the_token_brings_along(victim):
    """In the header or by an address: nothing there is followed, and nobody else is ever asked."""
    header, payload, _ = parts(victim.good)
    mine = new_key("ES256")
    jwk = mine.verifying_key.public_jwk()
    bring = [
        {"jwk": jwk},
        {"jwk": jwk, "kid": mine.kid},
        {"jku": f"{EVIL}/jwks.json"},
        {"jku": f"{EVIL}/jwks.json", "kid": mine.kid},
        {"x5u": f"{EVIL}/cert.pem"},
        {"x5c": ["MIIB"]},
        {"x5t": "AAAA"},
        {"x5t#S256": "AAAA"},
    ]
    for more in bring:
        for base in (header, header | {"alg": "ES256"}):
            none_is_accepted(
                victim, [signed(base | more, payload, mine), signed(base | more, payload, victim.issuer.key)]
            )


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../dev/null", "/etc/passwd", "' OR '1'='1", "1; DROP TABLE keys", "https://evil.example/key", "file:///x",
        "\x00", "x" * 257, "x" * 100_000, "", " ", "*", "%00", "{{7*7}}", "\n", None, 1, [], {},
    ],
    ids=lambda kid: repr(kid)[:20],
)  # fmt: skip
def test_a_kid_that_is_something_else(victim, kid):
    """Under a key of the attacker's: a kid is only ever looked up."""
    header, payload, _ = parts(victim.good)
    for algorithm in ("ES256", header["alg"]):
        none_is_accepted(victim, [signed(header | {"kid": kid, "alg": algorithm}, payload, new_key(algorithm))])


@pytest.mark.parametrize(
    "more",
    [
        {"crit": ["exp"]}, {"crit": []}, {"crit": "exp"}, {"crit": ["b64"], "b64": False}, {"b64": False}, {"zip": "DEF"},
        {"enc": "A256GCM"}, {"p2s": "AAAA", "p2c": 1}, {"epk": {}}, {"tag": "x"}, {"alg": ["ES256"]}, {"typ": 5},
    ],
    ids=str,
)  # fmt: skip
def test_a_header_that_changes_what_is_signed_or_read(victim, more):
    header, payload, _ = parts(victim.good)
    none_is_accepted(victim, [signed(header | more, payload, victim.issuer.key)])


def test_a_member_that_stands_twice(victim):
    header, payload, _ = parts(victim.good)
    twice_header = json.dumps(header)[:-1].encode() + b',"alg":"none"}'
    twice = [
        json.dumps(payload)[:-1].encode() + more
        for more in (b',"sub":"admin"}', b',"exp":9999999999}', b',"scope":"*"}')
    ]
    key = victim.issuer.key
    none_is_accepted(victim, [signed(twice_header, payload, key), *(signed(header, each, key) for each in twice)])


def test_base64_that_is_not_strict(victim):
    """Two texts for one token would be two names for one thing."""
    head, payload, signature = victim.good.split(".")
    last = signature[-1]
    padded = [f"{victim.good}=", f"{victim.good}==", f"{head}=.{payload}.{signature}", f"{head}.{payload}=.{signature}"]
    spaced = [
        f" {victim.good}",
        f"{victim.good}\n",
        f"{head}.{payload} .{signature}",
        f"{head}\r\n.{payload}.{signature}",
    ]
    parted = [f"{victim.good}.", f"{victim.good}.x", f"{head}.{payload}", f"{head}..{signature}", f".{payload}.{signature}",
              victim.good.replace(".", ".."), victim.good.replace(".", ",")]  # fmt: skip
    others = [victim.good[:-1] + chr(ord(last) ^ 1)] if len(signature) % 4 else []
    standard = [victim.good.replace("-", "+").replace("_", "/")]
    none_is_accepted(victim, [*padded, *spaced, *parted, *others, *standard])


def test_every_bit_of_the_signature_counts(victim):
    header, payload, signature = parts(victim.good)
    flipped = (
        bytes([*signature[:at], signature[at] ^ 1 << at % 8, *signature[at + 1 :]]) for at in range(len(signature))
    )
    cut = (signature[:size] for size in (0, 1, 31, len(signature) // 2, len(signature) - 1))
    others = (bytes(len(signature)), signature + b"\0", signature * 2, b"\xff" * len(signature))
    none_is_accepted(victim, (written(header, payload, each) for each in (*flipped, *cut, *others)))


def test_every_character_counts(victim):
    """Wherever one is changed, the token is another."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    start = len(PREFIX)
    none_is_accepted(
        victim,
        (
            victim.good[:at] + alphabet[(alphabet.find(victim.good[at]) + 7) % 64] + victim.good[at + 1 :]
            for at in range(start, len(victim.good), 5)
            if victim.good[at] != "."
        ),
    )


def test_a_der_signature_is_no_jws_signature(victim):
    header, payload, signature = parts(victim.good)
    if victim.issuer.algorithm == "ES256":
        none_is_accepted(victim, [written(header, payload, der_of(signature))])
        order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
        none_is_accepted(victim, [written(header, payload, signature[:32] + order.to_bytes(32, "big"))])
    else:
        none_is_accepted(victim, [written(header, payload, b"0" + signature)])


CLAIMS = {
    "exp": ["9999999999", 9e9, 1.5, -1, 2**53, True, None, [], {}, "2030-01-31T12:00:00Z"],
    "nbf": ["0", 0.5, -1, True, None, 2**60],
    "iat": ["0", 0.5, -1, False, None, [1]],
    "aud": [["https://guestpass.test/test"], {}, None, 1, "https://guestpass.test/test/", "*", ""],
    "iss": ["https://guestpass.test/test/", "https://GUESTPASS.test/test", "https://guestpass.test", None, 1, [], ""],
    "sub": [None, 1, [], {}],
    "sid": [None, 1],
    "scope": [None, ["read"], 1, {}],
    "environment": ["live", "TEST", "", None],
    "project_id": ["", "proj_", "PROJ_01HF7YAT00000000000000000A", None, 1, "proj_01hf7yat00000000000000000a"],
    "status": [None, {}, [], "x", {"status_list": {"idx": -1, "uri": "x"}}, {"status_list": {"idx": "1", "uri": "x"}}],
    "max_uses": [0, -1, "1", None, 1.5, True],
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_lie_under_the_issuers_own_signature(victim, claim):
    header, payload, _ = parts(victim.good)
    lies = [payload | {claim: value} for value in CLAIMS[claim]]
    if claim not in {"nbf", "scope", "max_uses"}:
        lies.append({name: value for name, value in payload.items() if name != claim})
    none_is_accepted(victim, (signed(header, lie, victim.issuer.key) for lie in lies))


def test_payloads_that_are_no_strict_json_object(victim):
    header, payload, _ = parts(victim.good)
    plain = json.dumps(payload).encode()
    raw = [
        b"", b"{", b"[]", b"null", b"1", b'"x"', plain + b"{}", plain + b"\0", b"\xef\xbb\xbf" + plain, plain.decode().encode("utf-16"),
        plain[:-1] + b',"x":NaN}', plain[:-1] + b',"x":1e400}', plain[:-1] + b',"x":"\\ud83e"}', plain[:-1] + b',"x":"\xff"}',
        plain[:-1] + b',"x":' + b"[" * 33 + b"]" * 33 + b"}", plain.replace(b"user_42", b"user\n42"),
    ]  # fmt: skip
    none_is_accepted(victim, (signed(header, each, victim.issuer.key) for each in raw))


def test_one_kind_for_another(victim):
    header, payload, _ = parts(victim.good)
    key = victim.issuer.key
    typs = [
        "JWT",
        "jwt",
        "at+JWT",
        "application/at+jwt",
        "statuslist+jwt",
        "guestpass-script+jwt",
        "guestpass-cuts+jwt",
        "",
        None,
    ]
    none_is_accepted(victim, [
        *(signed(header | {"typ": typ}, payload, key) for typ in typs),
        *(signed({name: value for name, value in header.items() if name != "typ"}, payload, key) for _ in range(1)),
        signed(header | {"typ": kinds.ACCESS.typ}, payload, key, prefix=PREFIX),
        f"gp_refresh_test_{'0' * 75}",
        victim.issuer.secret_key,
    ])  # fmt: skip


def test_a_token_of_another_place(victim, service):
    others = [
        service.issuer("live", algorithm=victim.issuer.algorithm),
        service.issuer("test", project_id="proj_01hf7yat00000000000000000b", algorithm=victim.issuer.algorithm),
    ]
    tokens = [other.mint("user_42") for other in others]
    tokens += [token.replace("gp_session_live_", PREFIX) for token in tokens]
    tokens += [victim.good.replace("_test_", "_live_"), victim.good.replace("gp_", "xx_"), victim.good.upper()]
    none_is_accepted(victim, tokens)


def test_a_token_that_is_too_long_is_not_read(victim):
    header, payload, _ = parts(victim.good)
    none_is_accepted(victim, [
        signed(header, payload | {"sub": "u" * 4000}, victim.issuer.key), victim.good + "A" * 10_000_000, "ey" * 2_000_000,
    ])  # fmt: skip


def test_a_public_key_handed_over_as_the_secret_is_refused_at_the_start(victim):
    """Whoever confuses the two himself is told before the first token."""
    if victim.issuer.algorithm == "HS256":
        return
    pem, _, der, _, jwk, *_ = public_forms(victim.issuer.key)
    for form in (pem, der, jwk):
        with pytest.raises(GuestpassError, match="secret"):
            victim.issuer.verifier(secret=form)


def test_the_segments_of_two_good_tokens_do_not_mix(victim):
    other = victim.issuer.mint("admin")
    one, two = (token.removeprefix(PREFIX).split(".") for token in (victim.good, other))
    mixed = [(a, b, c) for a in (one[0], two[0]) for b in (one[1], two[1]) for c in (one[2], two[2])]
    bad = [
        f"{PREFIX}{a}.{b}.{c}"
        for a, b, c in mixed
        if [a, b, c] not in (one, two) and (b, c) not in ((one[1], one[2]), (two[1], two[2]))
    ]
    none_is_accepted(victim, bad)
