"""Sign requests and mint, with nothing of Guestpass installed: the standard library, and ``requests`` to send.

    guestpass keys create --name analytics --signing   # prints the secret, and the id key_…
    export GUESTPASS_KEY_ID=key_… GUESTPASS_SECRET_KEY=sk_test_… GUESTPASS_URL=http://127.0.0.1:8787
    python sign_and_mint.py user_42

It prints a bare JWT. The secret stays here: what travels is a signature over this one request.
"""

import hashlib
import hmac
import os
import secrets
import sys
import time
from datetime import UTC, datetime, timedelta

import requests


class SignedRequest(requests.auth.AuthBase):
    """Signs each request as it is about to be sent, so that what is signed is what arrives."""

    def __init__(self, key_id: str, secret: str) -> None:
        self.key_id = key_id
        self.secret = secret

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        timestamp = str(int(time.time()))
        nonce = secrets.token_urlsafe(18)  # new each time: the same request may then be sent again on purpose
        third_line = [timestamp, nonce]
        if "Idempotency-Key" in request.headers:
            third_line.append(request.headers["Idempotency-Key"])
        content_type = request.headers.get("Content-Type", "") if body else ""
        head = "\n".join([request.method, request.path_url, ".".join(third_line), content_type, ""])
        signature = hmac.new(self.secret.encode(), head.encode() + body, hashlib.sha256).hexdigest()
        request.headers["X-API-Key"] = self.key_id
        request.headers["X-API-Timestamp"] = timestamp
        request.headers["X-API-Nonce"] = nonce
        request.headers["X-API-Signature"] = signature
        return request


def main() -> None:
    user_id = sys.argv[1] if len(sys.argv) > 1 else "user_42"
    url = os.environ.get("GUESTPASS_URL", "http://127.0.0.1:8787")
    auth = SignedRequest(os.environ["GUESTPASS_KEY_ID"], os.environ["GUESTPASS_SECRET_KEY"])
    expiration = datetime.now(UTC) + timedelta(minutes=10)
    answer = requests.post(
        f"{url}/sessions",
        json={"user": {"id": user_id}, "expiration": expiration.isoformat()},
        auth=auth,
        timeout=10,
        allow_redirects=False,  # a signature is for one address
    )
    if answer.status_code != requests.codes.created:
        sys.exit(f"{answer.status_code}: {answer.text}")
    print(answer.json()["token"])


if __name__ == "__main__":
    main()
