"""An API that holds tokens against a Verifier, blocking or awaited."""

import anyio
import httpx2

from guestpass.errors import GuestpassError

SYNC, ASYNC = "sync", "async"
KEYS, LIST, CUTS = "/test/.well-known/jwks.json", "/test/status-lists/1", "/test/status-lists/cuts"


class Api:
    """A receiver of tokens."""

    def __init__(self, issuer, kind=SYNC, **options):
        self.issuer = issuer
        self.kind = kind
        self.verifier = issuer.verifier(**options)

    def with_options(self, **options):
        """The same API with another verifier."""
        return Api(self.issuer, self.kind, **options)

    @property
    def clock(self):
        return self.issuer.clock

    @property
    def asked(self):
        """The paths that were asked of the issuer."""
        return self.issuer.service.asked

    def verify(self, token, **options):
        """The session. Raises: GuestpassError."""
        if self.kind == ASYNC:
            return anyio.run(lambda: self.verifier.averify(token, **options))
        return self.verifier.verify(token, **options)

    def code(self, token, **options):
        """The code that a token is refused with, or ``ok``."""
        try:
            self.verify(token, **options)
        except GuestpassError as error:
            return error.code
        return "ok"

    def codes(self, *tokens):
        return [self.code(token) for token in tokens]


def ok(text, **headers):
    return httpx2.Response(200, headers=headers, content=text)


def answering(path, *responses):
    """A stand-in that gives these answers at ``path``, the last for ever, and nothing elsewhere."""
    waiting = list(responses)

    def answer(request):
        if request.url.path != path:
            return None
        response = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return httpx2.Response(response.status_code, headers=response.headers, content=response.content)

    return answer
