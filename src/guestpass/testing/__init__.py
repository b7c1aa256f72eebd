"""Test an API that takes Guestpass tokens, without a server: a clock, an issuer in memory, tokens that it mints.

    def test_an_invoice_is_shown_to_who_may_read_it(guestpass_issuer):
        with guestpass_issuer.verifier() as verifier:
            token = guestpass_issuer.mint("user_42", operations=["read_invoices"])
            assert verifier.verify(token).allows("read_invoices")
            guestpass_issuer.revoke(token)
            guestpass_issuer.clock.advance(seconds=5)
            with pytest.raises(TokenRevoked):
                verifier.verify(token)

Keys are real and new each time, and so are signatures and lists; only the network is not there. The fixture comes with
``pytest_plugins = ["guestpass.testing.fixtures"]`` in ``conftest.py``.
"""

from guestpass.testing.clock import START, FakeClock
from guestpass.testing.issuer import FakeIssuer
from guestpass.testing.service import FakeGuestpass

__all__ = ["START", "FakeClock", "FakeGuestpass", "FakeIssuer"]
