"""The log as a whole: what the routes and the commands of this room work with."""

from __future__ import annotations

from typing import NamedTuple

from guestpass.server.audit.checking import Checking
from guestpass.server.audit.erasing import Erasing
from guestpass.server.audit.listing import Listing
from guestpass.server.audit.proving import Proving
from guestpass.server.audit.sealing import Sealing


class AuditLog(NamedTuple):
    sealing: Sealing
    listing: Listing
    checking: Checking
    proving: Proving
    erasing: Erasing
