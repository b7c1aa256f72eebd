"""Verify tokens in process, beside PyJWT and joserfc, and the bare signature.

    python benchmarks/verify.py [--rounds N] [--tokens N]

The contenders take turns in every round, so that whatever slows the machine slows them all. Before the clock
starts each must accept the good tokens and refuse one bad token for every check that is named as on.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

from harness import FOLDER, machine, report, verifiers
from harness.tokens import Mint

ALGORITHMS = ("HS256", "ES256")
OURS, REMEMBERED, PYJWT, JOSERFC = "guestpass", "guestpass, verified before", "PyJWT", "joserfc"
BARE = {"HS256": "bare hmac.digest", "ES256": "bare cryptography"}


class Contender:
    """A verifier with the tokens in the form that it reads."""

    def __init__(self, name: str, verify: verifiers.Verify, tokens: list[str]) -> None:
        self.name = name
        self.verify = verify
        self.tokens = tokens
        self.turns: list[float] = []  # ns per token

    def take_turn(self) -> None:
        verify, tokens = self.verify, self.tokens
        before = time.perf_counter_ns()
        for token in tokens:
            verify(token)
        self.turns.append((time.perf_counter_ns() - before) / len(tokens))


def main() -> None:
    options = parse()
    os.sched_setaffinity(0, {options.core})
    results = machine.describe("guestpass", "cryptography", "msgspec", "PyJWT", "joserfc")
    results["load"] = {"rounds": options.rounds, "distinct_tokens": options.tokens, "core": options.core}
    results["like_for_like"] = verifiers.__doc__
    results["algorithms"] = {name: measure(name, options.tokens, options.rounds) for name in ALGORITHMS}
    path = report.write("verify", results)
    print(show(results["algorithms"]))
    print(f"\nwritten: {path.relative_to(FOLDER.parent)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--tokens", type=int, default=500, help="distinct ones, verified once each a turn (500)")
    parser.add_argument("--core", type=int, default=0)
    return parser.parse_args()


def measure(algorithm: str, count: int, rounds: int) -> dict[str, Any]:
    mint = Mint.of(algorithm)
    tokens = mint.tokens(count)
    plain = verifiers.without_prefix(tokens)
    contenders = [
        Contender(OURS, verifiers.ours(mint), tokens),
        Contender(REMEMBERED, verifiers.ours_remembered(mint), tokens),
        Contender(PYJWT, verifiers.pyjwt(mint), plain),
        Contender(JOSERFC, verifiers.joserfc(mint), plain),
        Contender(BARE[algorithm], verifiers.bare(mint, tokens), tokens),
    ]
    for contender in contenders[:-1]:
        prove(contender, mint)
    for contender in contenders:
        contender.take_turn()  # the caches fill; not counted
        contender.turns.clear()
    for _ in range(rounds):
        for contender in contenders:
            contender.take_turn()
    figures = {contender.name: nanoseconds(contender.turns) for contender in contenders}
    return {"nanoseconds_per_token": figures, "ratios": ratios(contenders, algorithm)}


def prove(contender: Contender, mint: Mint) -> None:
    """See that the checks are on: what is compared refuses the same tokens."""
    contender.verify(contender.tokens[0])
    for why, bad in mint.bad_tokens().items():
        token = bad if contender.name in (OURS, REMEMBERED) else verifiers.without_prefix([bad])[0]
        try:
            contender.verify(token)
        except Exception:  # noqa: BLE001 - each library has its own
            continue
        raise SystemExit(f"{contender.name} accepted a token that is {why}; it is not set up like the others")


def nanoseconds(turns: list[float]) -> dict[str, float]:
    spread = report.spread(turns)
    return {name: round(spread[name], 1) for name in ("min", "median")}


def ratios(contenders: list[Contender], algorithm: str) -> dict[str, dict[str, float]]:
    """Quotients of turns of one round: how many times longer the first took than the second."""
    turns = {contender.name: contender.turns for contender in contenders}
    pairs = [(PYJWT, OURS), (JOSERFC, OURS), (PYJWT, REMEMBERED), (JOSERFC, REMEMBERED), (OURS, BARE[algorithm])]
    return {
        f"{slow} / {fast}": report.spread([one / other for one, other in zip(turns[slow], turns[fast], strict=True)])
        for slow, fast in pairs
    }


def show(algorithms: dict[str, Any]) -> str:
    headings = ("", "us min", "us median", "median over ours", "over verified before")
    rows: list[tuple[object, ...]] = []
    for algorithm, results in algorithms.items():
        figures = results["nanoseconds_per_token"]
        for name, one in figures.items():
            by = [round(one["median"] / figures[other]["median"], 2) for other in (OURS, REMEMBERED)]
            rows.append((f"{algorithm} {name}", one["min"] / 1000, one["median"] / 1000, *by))
    return report.table(headings, rows)


if __name__ == "__main__":
    main()
