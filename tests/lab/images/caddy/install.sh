# shellcheck shell=bash
# Caddy from Debian (2.6), laid out as the official image: configuration in /etc/caddy, state in /data and /config.
apt-get update -qq
apt-get install -qq -y caddy curl ca-certificates
rm -rf /etc/caddy /var/lib/caddy /var/lib/apt/lists/* /var/log/* /var/cache/debconf/*
mkdir -p /etc/caddy /config/caddy /data/caddy /srv
cp /run/recipe/Caddyfile /etc/caddy/Caddyfile
