import pytest
from jose_keys import SIGNING_KEYS


@pytest.fixture(params=sorted(SIGNING_KEYS))
def key(request):
    """A signing key of each algorithm in turn."""
    return SIGNING_KEYS[request.param]


@pytest.fixture
def keys():
    """All signing keys, by algorithm."""
    return SIGNING_KEYS
