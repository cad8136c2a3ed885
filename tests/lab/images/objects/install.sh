# shellcheck shell=bash
# Object storage that speaks S3, for backups: moto from PyPI, which keeps everything in memory.
apt-get update -qq
apt-get install -qq -y python3 python3-venv
python3 -m venv /opt/moto
/opt/moto/bin/pip install --quiet --no-cache-dir 'moto[server,s3]==5.1.4'
rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/debconf/*
