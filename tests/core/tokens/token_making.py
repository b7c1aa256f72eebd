"""Makes tokens with the test keys: through our own issue, or of any header and any claims."""

import json

import msgspec
from token_vectors import FOLDER

from guestpass.core.jose import base64url
from guestpass.core.jose.jwk import import_signing_key
from guestpass.core.jose.jws import encode_header, sign_compact
from guestpass.core.tokens import kinds
from guestpass.core.tokens.check import CHECKS, TOKEN_CHECKS, Expectation, Inspection, State, verify
from guestpass.core.tokens.claims import SessionClaims, Status, StatusListEntry
from guestpass.core.tokens.explain import explain
from guestpass.core.tokens.issue import issue
from guestpass.core.tokens.keys import KeySet
from guestpass.errors import GuestpassError

NOW = 1_700_000_000
ISSUER = "https://id.example/test"
PROJECT = "proj_01hf7yat00000000000000000a"
SESSION_ID = "sess_01hf7yb2m8d2s9v4q6zj3k5n7p"
PREFIX = kinds.prefix_of(kinds.SESSION, "test")
PUBLIC_ALGORITHMS = frozenset({"ES256", "EdDSA", "RS256"})
LIVING = State(ending=None)

SIGNING_KEYS = {
    jwk["kid"]: import_signing_key(jwk) for jwk in json.loads((FOLDER / "test-keys.json").read_text("utf-8"))["keys"]
}
OWN_KEYS = KeySet(SIGNING_KEYS[kid].verifying_key for kid in ("es256", "eddsa", "rs256"))
SECRET_KEYS = KeySet([SIGNING_KEYS["hs256"].verifying_key])


def claims_of(**changed):
    """What a plain mint writes, with ``changed`` in place."""
    return SessionClaims(
        **{
            "iss": ISSUER,
            "aud": ISSUER,
            "sub": "user_42",
            "iat": NOW - 60,
            "exp": NOW + 3540,
            "sid": SESSION_ID,
            "jti": SESSION_ID,
            "client_id": "key_01hf7yamszx8f3c5r2w9e6t4hg",
            "project_id": PROJECT,
            "environment": "test",
            "scope": "read_invoices write_notes",
            "status": Status(status_list=StatusListEntry(idx=412, uri=f"{ISSUER}/status-lists/1")),
        }
        | changed
    )


def minted(kid="es256", *, kind=kinds.SESSION, prefix="", **changed):
    """A token as our issue makes it."""
    key = SIGNING_KEYS[kid]
    header = encode_header(key.algorithm, kid, kind.typ)
    return issue(claims_of(**changed), prefix=prefix, header_segment=header, key=key)


def signed(header, payload, kid="es256", prefix=""):
    """A token whose signature holds, whatever its header and payload say; both are values or raw bytes."""
    segments = [base64url.encode(x if isinstance(x, bytes) else msgspec.json.encode(x)) for x in (header, payload)]
    return prefix + sign_compact(segments[0], base64url.decode(segments[1]), SIGNING_KEYS[kid])


def expectation(**changed):
    return Expectation(
        **{
            "issuer": ISSUER,
            "audience": ISSUER,
            "environment": "test",
            "project_id": PROJECT,
            "algorithms": PUBLIC_ALGORITHMS,
            "base": "https://id.example",
            "start_leeway_seconds": 5,
        }
        | changed
    )


def look(token, *, keys=OWN_KEYS, now=NOW, operation=None, state=None, claims=None, **expected):
    """Put a token before the table."""
    ins = Inspection(token, expectation(**expected), keys, now, operation)
    ins.state = state
    if claims is not None:
        ins.claims = claims
    return ins


def code_of(ins, checks=TOKEN_CHECKS):
    """The code that ``verify`` raises, or ``ok``."""
    return code_of_call(lambda: verify(ins, checks))


def code_of_call(call):
    try:
        call()
    except GuestpassError as error:
        return error.code
    return "ok"


def first_failed_row(ins, checks=CHECKS):
    """The name of the first line that does not hold, by ``explain``."""
    return next((finding.check for finding in explain(ins, checks).findings if finding.error), None)
