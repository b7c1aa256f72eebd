"""What an operator would check by hand: settings, directory, master key, schema, clock, health."""

from __future__ import annotations

import os
import shutil
import stat
import time
from pathlib import Path
from typing import NamedTuple

from guestpass.errors import GuestpassError
from guestpass.server.app import Service, open_configured
from guestpass.server.opening import MASTER_KEY_FILE, is_initialized
from guestpass.server.operate.settings import Settings, SettingsError, Sourced
from guestpass.server.storage.copies import StoreRefused
from guestpass.server.storage.sealing import MasterKeyError

DISK_BYTES_MIN = 256 * 1024 * 1024
CLOCK_FLOOR = 1_767_225_600  # 2026-01-01: a clock before this version was written is wrong


class Finding(NamedTuple):
    what: str
    ok: bool
    detail: str


async def examine(sourced: Sourced) -> list[Finding]:
    """Return what is right and wrong, most basic first; later findings are left out where they could not be made."""
    settings = sourced.settings
    findings = [_clock()]
    if not settings.database_url:
        findings.append(_directory(settings, is_store=await is_initialized(settings)))
        if not findings[-1].ok:
            return findings
        findings += [_key_file(settings), _disk(settings)]
    try:
        service = await open_configured(settings)
    except (GuestpassError, MasterKeyError, SettingsError, StoreRefused) as fault:
        return [*findings, Finding("store", ok=False, detail=str(fault))]
    try:
        findings.append(Finding("store", ok=True, detail=f"opens, has the schema, public URL {service.base_url}"))
        findings.append(await _signing_keys(service))
    finally:
        await service.close()
    return findings


def _clock() -> Finding:
    now = time.time()
    if now < CLOCK_FLOOR:
        return Finding("clock", ok=False, detail="stands before 2026; set it, or every token is expired or not begun")
    return Finding("clock", ok=True, detail=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)))


def _directory(settings: Settings, *, is_store: bool) -> Finding:
    path = Path(settings.data_dir)
    if not path.exists():
        return Finding(
            "data directory", ok=False, detail=f"{path} does not exist; run: guestpass init --data-dir {path}"
        )
    if not os.access(path, os.W_OK):
        return Finding("data directory", ok=False, detail=f"{path} cannot be written by this user; mints answer 503")
    if not is_store:
        return Finding(
            "data directory", ok=False, detail=f"{path} holds no store; run: guestpass init --data-dir {path}"
        )
    return Finding("data directory", ok=True, detail=str(path))


def _key_file(settings: Settings) -> Finding:
    if settings.master_key:
        return Finding("master key", ok=True, detail="from the settings")
    path = Path(settings.data_dir) / MASTER_KEY_FILE
    if not path.exists():
        return Finding(
            "master key",
            ok=False,
            detail=f"{path} is missing; put it back from the backup, or set GUESTPASS_MASTER_KEY",
        )
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding("master key", ok=False, detail=f"{path} can be read by others; run: chmod 600 {path}")
    return Finding("master key", ok=True, detail=f"{path}, readable by its owner alone")


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.data_dir).free
    return Finding("disk", ok=free >= DISK_BYTES_MIN, detail=f"{free // (1024 * 1024)} MiB free")


async def _signing_keys(service: Service) -> Finding:
    try:
        keys = await service.keyring.of(await service.issuers.at("test"))
    except GuestpassError as fault:
        return Finding("signing keys", ok=False, detail=fault.internal or str(fault))
    return Finding("signing keys", ok=True, detail=f"{keys.signer.key.algorithm}, kid {keys.signer.key.kid}")
