# shellcheck shell=bash
# The sidecar that runs the code of n8n's users, from the n8n image: the same runner behind a launcher of our own.
install -m 0644 /run/recipe/launcher.mjs /opt/n8n/launcher.mjs
