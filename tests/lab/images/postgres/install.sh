# shellcheck shell=bash
# PostgreSQL 17 from Debian, under the official image's contract: users, paths, entrypoint.
groupadd --system --gid 999 postgres
useradd --system --uid 999 --gid 999 --home-dir /var/lib/postgresql --create-home --shell /bin/bash postgres
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
apt-get update -qq
apt-get install -qq -y postgresql-17
install -m 0755 /run/recipe/docker-entrypoint.sh /usr/local/bin/
mkdir -p /docker-entrypoint-initdb.d
install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/data
install -d -o postgres -g postgres -m 3777 /var/run/postgresql
# The official image listens everywhere, whoever starts it.
sed -ri "s/^#?listen_addresses.*/listen_addresses = '*'/" /usr/share/postgresql/17/postgresql.conf.sample
rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/debconf/*
