"""Receive webhooks: verify, remember, answer at once. The standard library, and ``pip install standardwebhooks``.

    guestpass serve &
    export GUESTPASS_WEBHOOK_SECRET=whsec_$(head -c 32 /dev/urandom | base64)
    python webhook_receiver.py 3000 &
    guestpass webhooks listen --forward-to http://localhost:3000/hook

It prints a line for each event. Real endpoints have a secret of their own, which ``guestpass webhooks create`` prints.
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

BODY_BYTES_MAX = 64 * 1024
WEBHOOK = Webhook(os.environ["GUESTPASS_WEBHOOK_SECRET"])
seen: set[str] = set()  # a unique column of your database, written in the transaction that does what the event asks for


class Receiver(BaseHTTPRequestHandler):
    timeout = 10  # seconds; of who sends nothing

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("content-length", 0)), BODY_BYTES_MAX))
        try:
            event = WEBHOOK.verify(body, dict(self.headers))  # the bytes that came, not JSON written once more
        except WebhookVerificationError:
            self._answer(401)
            return
        event_id = self.headers["webhook-id"]
        if event_id not in seen:  # a delivery may come twice
            seen.add(event_id)
            print(event["type"], event_id, event["data"].get("externalUserId", "-"), flush=True)
        self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    with ThreadingHTTPServer(("127.0.0.1", port), Receiver) as server:
        print(f"Waiting for webhooks at http://localhost:{server.server_port}/hook", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
