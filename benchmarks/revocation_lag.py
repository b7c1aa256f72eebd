"""How long a revoked token goes on in processes that verify alone.

    python benchmarks/revocation_lag.py [--sessions 100] [--verifiers 4] [--poll-seconds 5]

A real server; so many processes with a ``Verifier`` that asks nobody; sessions are ended at random moments, one by
one and by cuts. Told is the time from the answer of the revoke to the first refusal in each process, against the
bound: the poll interval, one second, and one fetch.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import FOLDER, machine, processes, report
from harness.contenders.guestpass import Guestpass

from guestpass import Guestpass as Client
from guestpass import Verifier
from guestpass.errors import TokenRevoked

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

ISSUER = "http://127.0.0.1:8787/test"  # of a fresh store, wherever it listens
LOOK_SECONDS = 0.02  # between two looks of a verifier at all tokens that still live
PAUSE_SECONDS = 0.25  # at most, between two revokes


def main() -> None:
    options = parse()
    processes.end_on_sigterm()
    results = machine.describe()
    results["load"] = vars(options).copy()
    with tempfile.TemporaryDirectory(prefix="guestpass-bench-") as scratch:
        directory = Path(scratch) / "data"
        directory.mkdir()
        with Guestpass().running(directory, None) as service:
            url = f"http://127.0.0.1:{service.server.port}"
            results["seconds"] = measure(
                Client(service.secret, base_url=url), f"{url}/test/.well-known/jwks.json", options
            )
    results["bound_seconds"] = options.poll_seconds + 1
    path = report.write("revocation-lag", results)
    rows = [(name, *figures.values()) for name, figures in results["seconds"].items()]
    print(report.table(("ended by", "median s", "p99 s", "longest s", "refusals"), rows))
    print(f"\nbound: {results['bound_seconds']} s and one fetch\nwritten: {path.relative_to(FOLDER.parent)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=100, help="ended one by one, and as many by cuts (100)")
    parser.add_argument("--verifiers", type=int, default=4, help="processes (4)")
    parser.add_argument("--poll-seconds", type=int, default=5)
    return parser.parse_args()


def measure(client: Client, jwks_url: str, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    singly = [client.create_session_token(external_user_id=f"one_{n}") for n in range(options.sessions)]
    by_cut = [client.create_session_token(external_user_id=f"all_{n}") for n in range(options.sessions)]
    tokens = {token.id: token.session_token for token in (*singly, *by_cut)}
    forking = multiprocessing.get_context("fork")
    ready, pipes = forking.Barrier(options.verifiers + 1), []
    for _ in range(options.verifiers):
        ours, theirs = forking.Pipe()
        forking.Process(target=watch, args=(jwks_url, tokens, options.poll_seconds, ready, theirs), daemon=True).start()
        pipes.append(ours)
    ready.wait(60)
    answered: dict[str, float] = {}
    acts = [(token.id, True) for token in singly] + [(token.id, False) for token in by_cut]
    random.shuffle(acts)
    user_of = {token.id: f"all_{n}" for n, token in enumerate(by_cut)}
    for session_id, alone in acts:
        if alone:
            client.revoke_session_token(session_id)
        else:
            client.sessions.revoke(external_user_id=user_of[session_id])
        answered[session_id] = time.time()
        time.sleep(random.uniform(0, PAUSE_SECONDS))
    refused = [pipe.recv() for pipe in pipes]
    return {
        "one by one": spread([one[token.id] - answered[token.id] for one in refused for token in singly]),
        "a cut": spread([one[token.id] - answered[token.id] for one in refused for token in by_cut]),
    }


def watch(jwks_url: str, tokens: dict[str, str], poll_seconds: int, ready: Any, pipe: Connection) -> None:
    """Be a verifier: accept every token once, then note when each is refused."""
    refused: dict[str, float] = {}
    with Verifier(ISSUER, jwks_url=jwks_url, mode="offline", poll_seconds=poll_seconds) as verifier:
        for token in tokens.values():
            verifier.verify(token)
        ready.wait(60)
        while len(refused) < len(tokens):
            for session_id, token in tokens.items():
                if session_id not in refused:
                    try:
                        verifier.verify(token)
                    except TokenRevoked:
                        refused[session_id] = time.time()
            time.sleep(LOOK_SECONDS)
    pipe.send(refused)


def spread(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "median": round(statistics.median(ordered), 2),
        "p99": round(ordered[int(len(ordered) * 0.99)], 2),
        "longest": round(ordered[-1], 2),
        "refusals": len(ordered),
    }


if __name__ == "__main__":
    main()
