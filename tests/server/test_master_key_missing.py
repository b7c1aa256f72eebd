"""A store whose master key is gone: no other key is made in its place."""

import pytest

from guestpass.server.app import open_configured
from guestpass.server.opening import MASTER_KEY_FILE
from guestpass.server.operate.settings import Settings
from guestpass.server.storage.sealing import MasterKeyError


async def test_a_lost_key_is_named_and_none_is_made(tmp_path):
    settings = Settings(data_dir=str(tmp_path))
    await (await open_configured(settings)).close()
    key = (tmp_path / MASTER_KEY_FILE).read_text()
    (tmp_path / MASTER_KEY_FILE).unlink()
    with pytest.raises(MasterKeyError, match=r"master\.key is missing.*Put it back"):
        await open_configured(settings)
    assert not (tmp_path / MASTER_KEY_FILE).exists()
    await (await open_configured(Settings(data_dir=str(tmp_path), master_key=key))).close()
