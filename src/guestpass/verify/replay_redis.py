"""A replay guard in Redis or Valkey, for any number of machines. Needs ``pip install 'guestpass[redis]'``."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from guestpass.errors import Unavailable
from guestpass.verify.replay import Use

if TYPE_CHECKING:
    import redis

TIMEOUT_SECONDS = 2.0
NAME = "{guestpass:replay}"  # in braces: in a cluster all counts lie in one slot, beside when they began

# The server's run id changes when it restarts or another takes over: what it counted before may be lost then, as it
# is after a flush, which takes the mark away. In both cases the count begins anew, and older tokens are refused.
_SCRIPT = """
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local now = math.max(tonumber(redis.call('TIME')[1]), tonumber(ARGV[4]))
local began = redis.call('HMGET', KEYS[1], 'run', 'since', 'latest')
local since, latest = tonumber(began[2]), math.max(tonumber(began[3]) or 0, now)
if began[1] ~= run then
  since = now
end
redis.call('HSET', KEYS[1], 'run', run, 'since', since, 'latest', latest)
if ARGV[1] == '0' then
  return 0
end
if tonumber(ARGV[2]) < since or tonumber(ARGV[3]) <= latest then
  return 0
end
local used = tonumber(redis.call('GET', KEYS[2])) or 0
if used >= tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[2], used + 1, 'EXAT', ARGV[3])
return 1
"""


class RedisReplayGuard:
    """Counts in one Redis or Valkey that all processes share.

    A server that is emptied, restarted or failed over counts from then on: tokens issued before are refused, and their
    browsers fetch new ones. One that is away accepts nothing. It must not evict keys (``maxmemory-policy noeviction``),
    and its user may call ``INFO``.

    Args:
        server: A ``redis.Redis`` of your own, or a URL like ``redis://localhost:6379/0``.
    """

    def __init__(self, server: redis.Redis | str) -> None:
        import redis  # noqa: PLC0415 - an optional dependency

        self._fault = redis.RedisError
        self._redis: Any = server
        if isinstance(server, str):
            self._redis = redis.Redis.from_url(
                server, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
            )
        self._script = self._redis.register_script(_SCRIPT)
        self._keeps_all = False
        with contextlib.suppress(Unavailable):  # then it begins with the first use
            self._run("", 0, 0, 0, 0)

    def use(self, use: Use) -> bool:
        """Count one use. Raises: Unavailable."""
        return self._run(use.key, use.uses, use.issued_at, use.expires_at, use.now)

    def close(self) -> None:
        self._redis.close()

    def _run(self, key: str, *arguments: int) -> bool:
        try:
            self._refuse_one_that_evicts()
            return bool(self._script(keys=[f"{NAME}:began", f"{NAME}:{key}"], args=arguments))
        except self._fault as fault:
            raise Unavailable(f"The replay guard's Redis does not answer: {fault}.", retry_after_seconds=1) from None

    def _refuse_one_that_evicts(self) -> None:
        if not self._keeps_all:
            memory = self._redis.info("memory")
            if memory["maxmemory"] and memory["maxmemory_policy"] != "noeviction":
                raise Unavailable(
                    "The replay guard's Redis may evict what it counted; set its maxmemory-policy to noeviction."
                )
            self._keeps_all = True
