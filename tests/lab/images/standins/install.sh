# shellcheck shell=bash
# The stand-ins of Mattermost and Focalboard, which no package registry has. One image, started under two names.
apt-get update -qq
apt-get install -qq -y python3 python3-psycopg2
groupadd --gid 2000 mattermost
useradd --uid 2000 --gid 2000 --home-dir /mattermost --no-create-home --shell /usr/sbin/nologin mattermost

install -d /usr/local/lib/standins /mattermost/bin /opt/focalboard
install -m 0644 /run/recipe/{common,accounts,objects,mattermost,focalboard,mmctl}.py /usr/local/lib/standins/
printf '#!/bin/sh\nexec python3 /usr/local/lib/standins/mmctl.py "$@"\n' > /mattermost/bin/mmctl
chmod 0755 /mattermost/bin/mmctl
# Volumes take over owners and modes of the folders they are first mounted on.
install -d -o 2000 -g 2000 /mattermost/{config,data,logs,plugins,client} /mattermost/client/plugins
install -d -o 65534 -g 65534 /opt/focalboard/data
rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/debconf/*
