# shellcheck shell=bash
# What a cloud's Debian image holds, plus Docker and Compose, so that a first boot installs nothing.
apt-get update -qq
apt-get install -qq -y systemd systemd-sysv dbus openssh-server sudo curl ca-certificates iproute2 iptables procps netbase \
  cloud-init docker.io docker-cli docker-compose rsync restic

cp -r /run/recipe/files/. /
chmod 0755 /lab/* /usr/local/sbin/* /usr/local/bin/*

# What belongs to the machine around the container is left alone. Time, names and network are the machine's too.
systemctl mask getty.target console-getty.service serial-getty@.service getty@.service systemd-networkd.service \
  systemd-networkd.socket systemd-resolved.service systemd-timesyncd.service systemd-udevd.service \
  systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service systemd-sysctl.service \
  systemd-modules-load.service systemd-remount-fs.service kmod-static-nodes.service modprobe@.service \
  dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
  sys-fs-fuse-connections.mount systemd-binfmt.service proc-sys-fs-binfmt_misc.automount systemd-pstore.service \
  apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer
systemctl enable docker.service containerd.service ssh.service lab-metadata.service lab-images.service
systemctl disable docker.socket 2> /dev/null || true

# The first boot is to be a first boot.
rm -rf /var/lib/cloud /etc/ssh/ssh_host_* /var/lib/apt/lists/* /usr/sbin/policy-rc.d /var/log/* /var/cache/apt/*.bin
find / -xdev -name __pycache__ -prune -exec rm -rf {} +
: > /etc/machine-id
