"""Limits of the contract, each with its unit in its name. Checked before anything is parsed."""

TOKEN_BYTES_MAX = 3840  # with a cookie's name and attributes this still fits 4096 (RFC 6265 section 6.1)
BODY_BYTES_MAX = 64 * 1024
METADATA_BYTES_MAX = 16 * 1024
JSON_DEPTH_MAX = 32
ID_LENGTH_MAX = 255  # Unicode code points, for ids that the host chooses
EMAIL_LENGTH_MAX = 254  # RFC 5321 section 4.5.3.1.3, less the angle brackets

LIFE_SECONDS_MIN = 60
LIFE_SECONDS_MAX = 86_400
LIFE_SECONDS_DEFAULT = 3600
ACCESS_SECONDS_MIN = 60  # the life of an access token
ACCESS_SECONDS_MAX = 3600
ACCESS_SECONDS_DEFAULT = 900
RENEWABLE_SECONDS_MAX = 30 * 86_400  # the life of a renewable session in all
IDLE_SECONDS_DEFAULT = 7 * 86_400  # between two refreshes
GRACE_SECONDS_MAX = 600  # in which a used refresh token is answered again
GRACE_SECONDS_DEFAULT = 30
NOT_BEFORE_PAST_SECONDS_MAX = 60
ANALYTICS_ID_LENGTH_MAX = 64  # of POST /sessions
ANALYTICS_LIFE_SECONDS_MIN = 1
ANALYTICS_CLOCK_SECONDS_MAX = 300  # by which a caller's clock may be ahead of ours and ask for over 24 h

OPERATIONS_MAX = 64
OPERATIONS_BYTES_MAX = 1024  # the names of one list together
MAX_USES_MAX = 2**31 - 1

LEEWAY_SECONDS_MAX = 60
SERVER_START_LEEWAY_SECONDS = 5  # for nbf and iat; exp gets none on the server

OVERLAP_SECONDS_DEFAULT = 86_400  # for which a secret works on after a rotation
OVERLAP_SECONDS_MAX = 7 * 86_400
SECRETS_MAX = 5  # of one API key that work at once

PAGE_LIMIT_MAX = 100
PAGE_LIMIT_DEFAULT = 20

JSON_INTEGER_MAX = 2**53 - 1  # beyond it a JavaScript reader sees another number (RFC 8259 section 6)
