# shellcheck shell=bash
# Superset from PyPI, laid out as the official image: venv in /app/.venv, uv to add to it, user superset, configuration on
# PYTHONPATH. The stack builds an image of its own on this one, and what it adds is here already, since a droplet of the
# lab reaches no package registry: uv then finds nothing to do.
superset=6.1.0
psycopg2=2.9.10

apt-get update -qq
apt-get install -qq -y python3 python3-venv curl ca-certificates libmagic1
[ -z "${PIP_INDEX_URL-}" ] || export UV_DEFAULT_INDEX=$PIP_INDEX_URL
python3 -m venv /tmp/uv
/tmp/uv/bin/pip install --quiet uv
install -m 0755 /tmp/uv/bin/uv /usr/local/bin/uv
mkdir -p /app/pythonpath /app/superset_home
python3 -m venv --without-pip /app/.venv
# The pins are versions with which Superset starts; it does not name them itself.
uv pip install --no-cache --python /app/.venv/bin/python "apache-superset==$superset" \
  "psycopg2-binary==$psycopg2" gunicorn gevent 'flask-caching==2.3.1' 'flask-limiter<4' rich cachetools
groupadd --gid 1000 superset
useradd --uid 1000 --gid 1000 --home-dir /app/superset_home --shell /bin/bash superset
chown superset:superset /app/superset_home
find /app/.venv -type d \( -name tests -o -name __pycache__ \) -prune -exec rm -rf {} +
find /app/.venv \( -name '*.map' -o -name '*.pyi' \) -type f -delete
rm -rf /tmp/uv /var/lib/apt/lists/* /var/log/* /var/cache/debconf/*
