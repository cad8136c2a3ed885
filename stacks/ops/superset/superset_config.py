"""Superset's settings. Secrets and what differs between stacks come from the environment.

Left out on purpose: asynchronous queries, alerts and reports. They need Celery and Redis, which this
stack does not run.
"""

import os
from copy import deepcopy

# Superset imports this file at the end of its own, when the default is already there.
from superset.config import TALISMAN_CONFIG as DEFAULT_TALISMAN_CONFIG

# Encrypts the passwords of the databases that users connect. To change it, set PREVIOUS_SECRET_KEY to the
# old value and run `superset re-encrypt-secrets`.
SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]

SQLALCHEMY_DATABASE_URI = os.environ["SUPERSET_DATABASE_URI"]
# At most 10 connections a worker; the role in PostgreSQL is limited to 40.
SQLALCHEMY_ENGINE_OPTIONS = {
    "pool_size": 5,
    "max_overflow": 5,
    "pool_pre_ping": True,
    "pool_recycle": 1800,
}

# Caddy stands in front: one proxy to believe, and the one that speaks TLS.
ENABLE_PROXY_FIX = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

AUTH_USER_REGISTRATION = False
PUBLIC_ROLE_LIKE = None

# Counted in each worker's memory: enough on one host.
RATELIMIT_STORAGE_URI = "memory://"

TALISMAN_ENABLED = True
TALISMAN_CONFIG = deepcopy(DEFAULT_TALISMAN_CONFIG)
TALISMAN_CONFIG["force_https"] = False
TALISMAN_CONFIG["session_cookie_secure"] = True

# Dashboards inside Odoo: only when an origin is named, and only for that origin.
EMBED_ORIGIN = os.environ.get("SUPERSET_EMBED_ORIGIN", "")
if EMBED_ORIGIN:
    FEATURE_FLAGS = {"EMBEDDED_SUPERSET": True}
    GUEST_TOKEN_JWT_SECRET = os.environ["SUPERSET_GUEST_TOKEN_SECRET"]
    # X-Frame-Options cannot name an origin; frame-ancestors can.
    TALISMAN_CONFIG["frame_options"] = None
    TALISMAN_CONFIG["content_security_policy"]["frame-ancestors"] = ["'self'", EMBED_ORIGIN]
