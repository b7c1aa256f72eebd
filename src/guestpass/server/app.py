"""The composition root: the only place that wires the rooms together."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from guestpass.core.callers.client_address import TrustedProxies, networks_of
from guestpass.core.tokens.kinds import ENVIRONMENTS
from guestpass.errors import GuestpassError
from guestpass.server.api_keys.routes import ApiKeyRoutes
from guestpass.server.api_keys.service import SEALED_SECRETS, ApiKeys
from guestpass.server.audit import feed as audit_feed
from guestpass.server.audit import service as audit
from guestpass.server.audit.checking import Checking
from guestpass.server.audit.erasing import Erasing
from guestpass.server.audit.listing import Listing
from guestpass.server.audit.log import AuditLog
from guestpass.server.audit.proving import Proving
from guestpass.server.audit.retention import Retention
from guestpass.server.audit.routes import AuditRoutes
from guestpass.server.audit.sealing import Sealing
from guestpass.server.clock import Clock, Entropy, EntropyPool, system_clock
from guestpass.server.customers.service import Derivation
from guestpass.server.http.application import Application
from guestpass.server.http.callers import Callers
from guestpass.server.http.idempotency import Idempotency
from guestpass.server.http.peer import is_loopback
from guestpass.server.http.rate_limits import Limits, RateLimits
from guestpass.server.http.routes import RouteTable
from guestpass.server.http.shared_counts import SharedCounts
from guestpass.server.idempotency.finding import Finding, known_of
from guestpass.server.idempotency.keeping import Keeping
from guestpass.server.idempotency.seals import Seals
from guestpass.server.idempotency.service import KeptAnswers
from guestpass.server.opening import DATABASE_FILE, open_store, postgres_of
from guestpass.server.operate.jobs import Jobs
from guestpass.server.operate.routes import OperateRoutes
from guestpass.server.operate.settings import Settings, SettingsError
from guestpass.server.projects.service import WORD, Issuer, IssuerNames, Issuers, Project
from guestpass.server.refresh.anomalies import Anomalies
from guestpass.server.refresh.oauth_routes import OAuthRoutes
from guestpass.server.refresh.routes import RefreshRoutes
from guestpass.server.refresh.service import Leaving, Renewing
from guestpass.server.refusals.service import Refusals
from guestpass.server.revocation.publishing import Publishing
from guestpass.server.revocation.routes import StatusListRoutes
from guestpass.server.sessions.cleaning import Cleaning
from guestpass.server.sessions.explaining import Explaining
from guestpass.server.sessions.minting import Minting
from guestpass.server.sessions.routes import SessionRoutes
from guestpass.server.sessions.service import Sessions
from guestpass.server.sessions.standard_routes import StandardRoutes
from guestpass.server.sessions.verifying import Verifying
from guestpass.server.signed_requests.service import SignedRequests
from guestpass.server.signing_keys.rotation import Rotation
from guestpass.server.signing_keys.routes import SigningKeyRoutes
from guestpass.server.signing_keys.service import SEALED_KEYS, Keyring
from guestpass.server.storage import copies, facts
from guestpass.server.storage.sealing import Sealer
from guestpass.server.storage.sqlite import SqliteStore
from guestpass.server.storage.store import Answer, Locks, Query, Store, Transaction
from guestpass.server.tally import Tally
from guestpass.server.webhooks.dispatching import Dispatching
from guestpass.server.webhooks.listening import Listening
from guestpass.server.webhooks.routes import WebhookRoutes
from guestpass.server.webhooks.sending import Outgoing, Sending
from guestpass.server.webhooks.service import SEALED_WEBHOOK_SECRETS, Webhooks
from guestpass.server.webhooks.wishes import Wishes

SEALED = (facts.SEALED_FACTS, SEALED_KEYS, *SEALED_SECRETS, SEALED_WEBHOOK_SECRETS)  # all that a master key seals


class WebhookRoom(NamedTuple):
    """What is wished for endpoints, what they are, what is queued for them, and who sends it."""

    wishes: Wishes
    endpoints: Webhooks
    dispatching: Dispatching
    sending: Sending


@dataclass(frozen=True, slots=True)
class Service:
    """Every room, wired: what the HTTP application and the commands work with."""

    store: Store
    issuers: Issuers
    api_keys: ApiKeys
    signed_requests: SignedRequests
    kept_answers: KeptAnswers
    keyring: Keyring
    rotation: Rotation
    minting: Minting
    sessions: Sessions
    verifying: Verifying
    renewing: Renewing
    anomalies: Anomalies
    derivation: Derivation
    audit: AuditLog
    jobs: Jobs
    refusals: Refusals
    explaining: Explaining
    webhooks: WebhookRoom
    limits: RateLimits
    proxies: TrustedProxies
    clock: Clock
    entropy: Entropy
    tally: Tally

    @property
    def base_url(self) -> str:
        return self.issuers.base_url

    async def make_project(self, name: str) -> Project:
        """Make a project, and its signing keys in both environments. Raises: ValidationFailed, Conflict."""
        project = await self.issuers.make_project(name)
        for environment in ENVIRONMENTS:
            await self.keyring.make_missing(await self.issuers.of(project, environment))
        return project

    def listening(self, issuer: Issuer, events: tuple[str, ...]) -> Listening:
        """Return what follows the events of an issuer, for ``guestpass webhooks listen``."""
        return Listening(self.store, audit_feed, Outgoing(), self.clock, issuer=issuer, events=events)

    async def close(self) -> None:
        await self.jobs.stop()
        await self.webhooks.sending.stop()
        with contextlib.suppress(GuestpassError):  # when a key was used last is lost before anything else is
            await self.api_keys.write_uses()
        await self.limits.close()
        await self.store.close()


async def open_configured(settings: Settings, tally: Tally | None = None) -> Service:
    """Open the store that the settings name, make it where it is missing, migrate it, and wire the rooms over it.

    Raises: Unavailable, MasterKeyError, SettingsError, StoreRefused: sentences for the operator.
    """
    store, sealer = await open_store(settings, tally)
    try:
        return await open_service(settings, store, sealer)
    except Exception:
        await store.close()
        raise


async def open_service(
    settings: Settings, store: Store, sealer: Sealer, *, clock: Clock = system_clock, entropy: Entropy | None = None
) -> Service:
    """Wire the rooms over a migrated store.

    Raises: MasterKeyError, SettingsError, StoreRefused: sentences for the operator; nothing was changed.
    """
    entropy = entropy or EntropyPool()
    await _at_once(store, copies.require_original)
    secret = await _at_once(store, lambda tx: _secret_of(tx, sealer))
    kept_answers, keeping = await _kept_answers(store, secret, sealer, clock, entropy)
    issuers = await _issuers(store, settings, clock, entropy)
    keyring = await _full_keyring(Keyring(store, sealer, clock, settings.signing_algorithm), issuers)
    derivation, word = Derivation(secret), settings.token_prefix
    minting = Minting(store, issuers, keyring, derivation, clock=clock, entropy=entropy, prefix_word=word)
    api_keys = ApiKeys(store, clock, entropy, sealer)
    signed_requests = SignedRequests(store, api_keys, clock, entropy)
    refusals = Refusals(store, clock, entropy)
    verifying = Verifying(store, issuers, keyring, clock, prefix_word=word)
    renewing = Renewing(store, issuers, keyring, minting, secret, clock=clock, entropy=entropy, prefix_word=word)
    anomalies = Anomalies(store, clock, retention_days=settings.session_retention_days)
    cleaning = Cleaning(store, clock, retention_days=settings.session_retention_days)
    rotation = _rotation(settings, store, sealer, entropy)
    webhooks = _webhooks(store, sealer, issuers, clock, entropy)
    feeds = (refusals.write, keeping.keep_up, renewing.erase_salts)
    sessions, sealing = Sessions(store, clock, store.tally), Sealing(store, issuers, keyring)
    retention = Retention(store, days=settings.audit_retention_days)
    often = (signed_requests.purge, refusals.purge, keeping.purge, webhooks.dispatching.purge)
    purges = (cleaning.purge, anomalies.purge, retention.purge, *often)
    return Service(
        store=store,
        issuers=issuers,
        api_keys=api_keys,
        signed_requests=signed_requests,
        keyring=keyring,
        rotation=rotation,
        minting=minting,
        sessions=sessions,
        verifying=verifying,
        renewing=renewing,
        anomalies=anomalies,
        explaining=Explaining(verifying, refusals, clock),
        derivation=derivation,
        kept_answers=kept_answers,
        audit=_audit_log(store, sealing, cleaning, sessions),
        jobs=Jobs(cleaning, rotation, feeds, api_keys.write_uses, purges, sealing.seal),
        refusals=refusals,
        webhooks=webhooks,
        limits=RateLimits(_limits(settings), issuers, clock, _shared_counts(settings, issuers.base_url, clock)),
        proxies=TrustedProxies(networks_of(settings.trusted_proxies)),
        clock=clock,
        entropy=entropy,
        tally=store.tally,
    )


async def _secret_of(tx: Transaction, sealer: Sealer) -> bytes:
    """Prove the master key, and let the audit log begin where the store is new, or is older than its log."""
    secret = await facts.derivation_secret(tx, sealer)
    await audit.begin(tx)
    return secret


async def _issuers(store: Store, settings: Settings, clock: Clock, entropy: Entropy) -> Issuers:
    base_url = await _at_once(store, lambda tx: _fixed_public_url(tx, settings))
    issuers = Issuers(store, base_url, issuer_names(settings, base_url), clock, entropy)
    await issuers.make_default()
    return issuers


def _rotation(settings: Settings, store: Store, sealer: Sealer, entropy: Entropy) -> Rotation:
    return Rotation(store, sealer, entropy, algorithm=settings.signing_algorithm, key_days=settings.signing_key_days)


def _audit_log(store: Store, sealing: Sealing, cleaning: Cleaning, sessions: Sessions) -> AuditLog:
    checking, erasing = Checking(store, cleaning.edge), Erasing(store, sessions)
    return AuditLog(sealing, Listing(store), checking, Proving(store), erasing)


async def _full_keyring(keyring: Keyring, issuers: Issuers) -> Keyring:
    """Make a key for every issuer that lacks one: of a new store, of a new algorithm, of a project half made."""
    for number in await keyring.lacking(await issuers.numbers()):
        await keyring.make_missing(await issuers.by_number(number))
    return keyring


async def _kept_answers(
    store: Store, secret: bytes, sealer: Sealer, clock: Clock, entropy: Entropy
) -> tuple[KeptAnswers, Keeping]:
    finding = Finding(await store.read(known_of))
    return KeptAnswers(Seals(secret, sealer), finding, clock, entropy), Keeping(store, finding, clock)


def create_app(service: Service, *, metrics_apart: bool = False) -> Application:
    """Return the ASGI application of the public port; ``metrics_apart``: metrics have a port of their own."""
    operate = _operate(service)
    sessions = SessionRoutes(
        service.minting, service.sessions, service.verifying, service.issuers, service.derivation, service.explaining,
        service.clock,
    )  # fmt: skip
    leaving = Leaving(service.store, service.renewing, service.verifying, service.sessions)
    refresh = RefreshRoutes(service.renewing, leaving, service.sessions, service.derivation, service.anomalies)
    oauth = OAuthRoutes(service.renewing, leaving, service.sessions, service.verifying)
    api_keys = ApiKeyRoutes(service.api_keys, service.issuers, service.clock)
    signing_keys = SigningKeyRoutes(service.issuers, service.keyring)
    lists = StatusListRoutes(service.issuers, Publishing(service.store, service.keyring, service.clock))
    standard = StandardRoutes(service.verifying, service.issuers, service.refusals)
    webhooks = WebhookRoutes(service.webhooks.endpoints, service.issuers, service.webhooks.wishes)
    audit_events = AuditRoutes(service.audit.listing)
    table = RouteTable(
        [
            *sessions.table(),
            *refresh.table(),
            *api_keys.table(),
            *standard.table(),
            *webhooks.table(),
            *audit_events.table(),
            *oauth.table(),
            *signing_keys.table(),
            *lists.table(),
            *operate.table(metrics_apart=metrics_apart),
        ]
    )
    operate.describe(table)
    every = [*table.routes, *operate.internal_table()]  # what this process serves, at whichever port
    service.tally.over_routes((route.method, route.path) for route in every)
    return _application(service, table)


def create_internal_app(service: Service) -> Application:
    """Return the application of the internal port, for the operator's own machines; ``create_app`` comes before it."""
    return _application(service, RouteTable(_operate(service).internal_table()))


def _operate(service: Service) -> OperateRoutes:
    return OperateRoutes(service.store, service.clock, service.tally, service.base_url)


def _application(service: Service, table: RouteTable) -> Application:
    return Application(
        table,
        Callers(service.api_keys, service.signed_requests, service.proxies),
        base_url=service.base_url,
        entropy=service.entropy,
        tally=service.tally,
        limits=service.limits,
        idempotency=Idempotency(service.kept_answers),
        refusals=service.refusals,
    )


async def change_public_url(settings: Settings, url: str) -> None:
    """Make ``url`` the store's public URL; tokens that name the old one are refused from then on."""
    embedded = Path(settings.data_dir) / DATABASE_FILE
    store: Store = postgres_of(settings) if settings.database_url else SqliteStore(embedded)
    try:
        await _at_once(store, lambda tx: facts.put(tx, facts.PUBLIC_URL, url.encode()))
    finally:
        await store.close()


async def _at_once(store: Store, work: Query[Answer]) -> Answer:
    """Write what belongs to the store as a whole; of several servers that start, one does."""

    async def act(tx: Transaction, items: list[None]) -> list[Answer]:
        await tx.lock(Locks.STORE, [0])
        return [await work(tx) for _ in items]

    return await store.write(act, None)


async def _fixed_public_url(tx: Transaction, settings: Settings) -> str:
    kept = await facts.get(tx, facts.PUBLIC_URL)
    if kept is None:
        url = settings.public_url or f"http://127.0.0.1:{settings.port}"
        await facts.put(tx, facts.PUBLIC_URL, url.encode())
        return url
    check_public_url(settings, kept.decode())
    return kept.decode()


def check_public_url(settings: Settings, kept: str) -> None:
    """Raises: SettingsError where the settings say another URL than the store was made for."""
    if settings.public_url and settings.public_url != kept:
        raise SettingsError(
            f"This store was made for the public URL {kept}; the setting public_url says "
            f"{settings.public_url}. Every token names that URL as its issuer, so it is fixed. To change it, "
            f"which ends every token that was issued under the old one, run: guestpass init --change-url"
        )


def issuer_names(settings: Settings, base_url: str) -> IssuerNames:
    """Raises: SettingsError where two issuers would be equal."""
    urls = {"test": settings.issuer_test, "live": settings.issuer_live}
    audiences = {"test": settings.audience_test, "live": settings.audience_live}
    issuers = [urls[environment] or f"{base_url}/{environment}" for environment in ENVIRONMENTS]
    if len(set(issuers)) < len(issuers):
        raise SettingsError(
            f"Two issuers would be equal ({issuers[0]}); test and live must differ. "
            f"Set GUESTPASS_ISSUER_TEST and GUESTPASS_ISSUER_LIVE to different URLs."
        )
    for environment in ENVIRONMENTS:
        # Any project may have the issuer of that shape, or come to have it.
        if urls[environment].startswith(tuple(f"{base_url}/{each}/{WORD}_" for each in ENVIRONMENTS)):
            raise SettingsError(
                f"issuer_{environment} is {urls[environment]}, and an issuer of that form belongs to the project that it "
                f"names. Choose a URL that is not below {base_url}/{environment}/."
            )
    return IssuerNames(
        urls={name: urls[name] for name in ENVIRONMENTS if urls[name]},
        audiences={name: audiences[name] for name in ENVIRONMENTS if audiences[name]},
    )


def _webhooks(store: Store, sealer: Sealer, issuers: Issuers, clock: Clock, entropy: Entropy) -> WebhookRoom:
    local = is_loopback(urlsplit(issuers.base_url).hostname)
    dispatching = Dispatching(store, audit_feed, issuers, clock)
    return WebhookRoom(
        Wishes(local_allowed=local),
        Webhooks(store, audit_feed, sealer, clock, entropy),
        dispatching,
        Sending(store, sealer, dispatching.dispatch, Outgoing(), clock, entropy, local_allowed=local),
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        failures=settings.failures_per_minute,
        mints=settings.mints_per_minute,
        browser=settings.browser_requests_per_minute,
        refresh=settings.refreshes_per_minute,
    )


def _shared_counts(settings: Settings, base_url: str, clock: Clock) -> SharedCounts | None:
    if not settings.redis_url:
        return None
    try:
        return SharedCounts.at(settings.redis_url, base_url, clock)
    except ImportError:
        raise SettingsError("redis_url is set, and its package is missing: pip install 'guestpass[redis]'") from None
    except ValueError:  # whose words may hold a part of the password
        raise SettingsError(
            "redis_url cannot be read as a URL; percent-encode what is special in a password."
        ) from None
