"""What an operator would check by hand: settings, clocks, master key, schema, signing keys. It changes nothing.

Each thing that is wrong is named with what to do. What a check needs is checked before it; past something that
everything else needs, the rest is left out.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from guestpass.core import times
from guestpass.errors import GuestpassError, Unavailable
from guestpass.server.app import check_public_url, issuer_names
from guestpass.server.audit import batches as chain
from guestpass.server.clock import Clock, system_clock
from guestpass.server.opening import MASTER_KEY_FILE, NEXT_KEY_FILE, is_initialized, sealer_of, store_as_it_is
from guestpass.server.operate.routes import CLOCKS_APART_SECONDS_MAX
from guestpass.server.operate.settings import Settings, SettingsError, Sourced
from guestpass.server.projects.service import Issuers
from guestpass.server.signing_keys.rotation import Keys, Rotation
from guestpass.server.signing_keys.service import Keyring
from guestpass.server.storage import copies, facts, migrate
from guestpass.server.storage.migrate import Schema
from guestpass.server.storage.sealing import MasterKeyError, Sealer
from guestpass.server.storage.store import Store, Transaction

DISK_BYTES_MIN = 256 * 1024 * 1024
CLOCK_FLOOR = 1_767_225_600  # 2026-01-01: a clock before this version was written is wrong
_DAY_MS = 24 * 3600 * 1000
_LATE_DAYS = 2  # of a rotation that is due: a server would have done it within a minute


class Finding(NamedTuple):
    """``advice``: what to do, where something is wrong."""

    what: str
    ok: bool
    detail: str
    advice: str = ""


def _good(what: str, detail: str) -> Finding:
    return Finding(what, ok=True, detail=detail)


def _bad(what: str, detail: str, advice: str) -> Finding:
    return Finding(what, ok=False, detail=detail, advice=advice)


async def examine(sourced: Sourced, clock: Clock = system_clock) -> list[Finding]:
    """Return what is right and wrong, most basic first."""
    settings = sourced.settings
    findings = [_clock(clock())]
    if not settings.database_url:
        findings += _around_the_store(settings)
        if not findings[-1].ok:
            return findings
    try:
        if not await is_initialized(settings):
            advice = "run: guestpass init, with the same settings"
            return [*findings, _bad("store", "the database is empty", advice)]
        async with store_as_it_is(settings) as store:
            return findings + await _in_the_store(settings, store, clock)
    except Unavailable as fault:
        advice = "see that it runs, that this machine reaches it, and that user and password are right"
        return [*findings, _bad("store", fault.message, advice)]


def _clock(now: float) -> Finding:
    if now < CLOCK_FLOOR:
        return _bad("clock", "stands before 2026", "set it by NTP, or every token is expired or not begun")
    return _good("clock", times.of_seconds(int(now)))


def _around_the_store(settings: Settings) -> Iterator[Finding]:
    path = Path(settings.data_dir)
    file = path / MASTER_KEY_FILE
    if not settings.master_key and path.exists() and file.exists():
        yield _key_file(file)
    if path.exists():
        free = shutil.disk_usage(path).free
        room = f"{free // (1024 * 1024)} MiB free"
        advice = "make room: mints and revokes answer 503 where the disk is full"
        yield _good("disk", room) if free >= DISK_BYTES_MIN else _bad("disk", room, advice)
    yield _directory(path)


def _key_file(file: Path) -> Finding:
    if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return _bad("key file", f"{file} can be read by others", f"run: chmod 600 {file}")
    if file.with_name(NEXT_KEY_FILE).exists():
        return _bad("key file", "a move to another master key was not finished", "run: guestpass master-key rewrap")
    return _good("key file", f"{file}, readable by its owner alone")


def _directory(path: Path) -> Finding:
    what = "data directory"
    if not path.exists():
        return _bad(what, f"{path} does not exist", f"run: guestpass init --data-dir {path}")
    if not os.access(path, os.W_OK):
        return _bad(what, f"{path} cannot be written by this user", "give it to him; mints and revokes answer 503")
    if not any(path.glob("*.sqlite3")):
        return _bad(what, f"{path} holds no store", f"run: guestpass init --data-dir {path}")
    return _good(what, str(path))


async def _in_the_store(settings: Settings, store: Store, clock: Clock) -> list[Finding]:
    schema, store_ms = await store.read(_schema_and_clock)
    findings = [_clocks_apart(clock() - store_ms / 1000, store_ms), _schema(schema)]
    if not findings[-1].ok:
        return findings
    named = await store.read(facts.master_key_fingerprint)
    refusal = await store.read(copies.refusal_of)
    if named is None or refusal is not None:
        return [*findings, _bad("store", refusal or "was never opened", "no server starts like this; see the runbooks")]
    try:
        sealer = sealer_of(settings)
        await store.read(lambda tx: facts.derivation_secret(tx, sealer))
    except MasterKeyError as fault:
        return [
            *findings,
            _bad("master key", str(fault), "give this server the key with the fingerprint that is needed"),
        ]
    findings.append(_master_key(sealer, named))
    base_url = (await store.read(lambda tx: facts.get(tx, facts.PUBLIC_URL)) or b"").decode()
    try:
        check_public_url(settings, base_url)
        names = issuer_names(settings, base_url)
    except SettingsError as fault:
        return [*findings, _bad("settings", str(fault), "no server starts like this")]
    findings += [_good("public URL", base_url), _proxies(settings, base_url)]
    issuers = Issuers(store, base_url, names, clock, os.urandom)
    findings.append(await _signing_keys(settings, store, sealer, issuers, clock))
    findings.append(await store.read(_audit_log))
    return findings


async def _schema_and_clock(tx: Transaction) -> tuple[Schema, int]:
    return await migrate.schema_of(tx), await tx.now_ms()


def _clocks_apart(ahead_seconds: float, store_ms: int) -> Finding:
    """Two clocks tell that one of them is wrong; which, tells the floor below which none can be right."""
    what = "store's clock"
    if store_ms / 1000 < CLOCK_FLOOR:
        return _bad(
            what, f"stands at {times.of_milliseconds(store_ms)}", "set the clock of the database's machine by NTP"
        )
    if abs(ahead_seconds) <= CLOCKS_APART_SECONDS_MAX:
        return _good(what, f"{abs(ahead_seconds):.1f} s from this server's")
    side = "ahead of" if ahead_seconds > 0 else "behind"
    return _bad(
        what,
        f"this server's clock is {abs(ahead_seconds):.1f} s {side} the store's; {CLOCKS_APART_SECONDS_MAX} s are allowed",
        "every server of a store goes by the store's clock: set this machine's by NTP; if other servers say the same, "
        "the database's",
    )


def _schema(schema: Schema) -> Finding:
    if schema.revision is not None and schema.serves(migrate.HEAD):
        return _good("schema", schema.revision)
    if schema.revision is not None and schema.revision > migrate.HEAD:
        return _bad(
            "schema",
            f"{schema.revision}, of a newer version; this one knows up to {migrate.HEAD}",
            "start the newer version again, or restore a backup that was made before the upgrade",
        )
    return _bad(
        "schema",
        f"{schema.revision or 'none'}; migrations up to {migrate.HEAD} are missing",
        "back up, see guestpass db upgrade --plan, then start a server of this version or run: guestpass db upgrade",
    )


async def _audit_log(tx: Transaction) -> Finding:
    """Its last head alone: all of it is for ``guestpass audit verify`` to read."""
    what, last = "audit log", await chain.last(tx)
    if last is None:
        return _good(what, "nothing is sealed yet: a running server does it within a second")
    if fault := await chain.fault_of_head(tx, last):
        return _bad(what, f"the head of batch {last.number} does not hold: {fault}", "run: guestpass audit verify")
    sealed_at = times.of_milliseconds(last.sealed_at_ms)
    return _good(what, f"batch {last.number}, sealed {sealed_at}, holds up to event {last.first_leaf + last.leaves}")


def _master_key(sealer: Sealer, named: str) -> Finding:
    if sealer.key.fingerprint != named:
        return _bad(
            "master key",
            f"{sealer.key.fingerprint} is configured, and the store still seals under {named}",
            "when every server has both: guestpass master-key rewrap",
        )
    return _good("master key", f"fingerprint {named}")


def _proxies(settings: Settings, base_url: str) -> Finding:
    """A server speaks plain HTTP: where its public URL is https, somebody stands before it."""
    if base_url.startswith("https:") and not settings.trusted_proxies:
        return _bad(
            "proxies",
            "the public URL is https, so a proxy stands before this server, and trusted_proxies names none: forwarded "
            "headers do not count, and every client has the proxy's address",
            "set trusted_proxies to the proxy's network; until then limits by address fall on all clients together, and "
            "IP ranges of API keys see the proxy",
        )
    return _good("proxies", f"trusted: {settings.trusted_proxies}" if settings.trusted_proxies else "none are trusted")


async def _signing_keys(settings: Settings, store: Store, sealer: Sealer, issuers: Issuers, clock: Clock) -> Finding:
    """Every issuer has a key that signs, which opens, and none of them is overdue."""
    what, days = "signing keys", settings.signing_key_days
    keyring = Keyring(store, sealer, clock, settings.signing_algorithm)
    rotation = Rotation(store, sealer, os.urandom, algorithm=settings.signing_algorithm, key_days=days)
    every = {keys.issuer: keys for keys in await rotation.all()}
    for number in await issuers.numbers():
        issuer = await issuers.by_number(number)
        try:
            await keyring.of(issuer)
        except GuestpassError as fault:
            detail = f"{issuer.url}: {fault.internal or fault.message}"
            return _bad(what, detail, "minting answers 500 there; a server that starts makes a key where there is none")
        if _days_overdue(every[number], days) > _LATE_DAYS:
            return _bad(
                what,
                f"{issuer.url}: the key that signs is older than {days} days",
                "a running server rotates it within a minute: see that one runs, and that its log has no "
                "housekeeping_failed",
            )
    return _good(what, _in_words(list(every.values()), days))


def _days_overdue(keys: Keys, key_days: int) -> float:
    signs = keys.last(secret=False)
    return (keys.now_ms - signs.signs_from_ms) / _DAY_MS - key_days if signs and key_days else 0


def _in_words(every: list[Keys], key_days: int) -> str:
    signing = [signs for keys in every if (signs := keys.last(secret=False))]
    oldest_ms = min((signs.signs_from_ms for signs in signing), default=0)
    algorithms = ", ".join(sorted({signer.algorithm for keys in every if (signer := keys.signer())}))
    turn = (
        f"next rotation {times.of_seconds((oldest_ms + key_days * _DAY_MS) // 1000)}" if key_days else "rotated by hand"
    )
    return f"{len(every)} issuers sign ({algorithms}); {turn}"
