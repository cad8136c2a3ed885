#!/usr/bin/env bash
# base.sh SUITE: a minimal Debian from the archive that this machine uses; prints the image's name.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
suite=${1:?usage: base.sh SUITE}
need_docker

image=ipai-lab/debian:$suite-$(digest base.sh)
if have_image "$image"; then
  echo "$image"
  exit
fi
command -v debootstrap > /dev/null || die 'no debootstrap here' 'on Debian and Ubuntu: apt-get install debootstrap'
[ "$(id -u)" = 0 ] || die 'debootstrap needs root' "run: sudo $0 $suite"

# Without one, debootstrap knows the archive of each suite itself.
# shellcheck disable=SC2016
mirror=${IPAI_LAB_MIRROR:-$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' 2> /dev/null | awk '$1 == "Debian" { print $2; exit }')}
say "debootstrap $suite"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
nice -n 10 debootstrap --variant=minbase "$suite" "$folder/root" ${mirror:+"$mirror"} > "$folder/log" 2>&1 ||
  { tail -n 20 "$folder/log" >&2; die "debootstrap $suite failed"; }

rm -rf "$folder"/root/var/cache/apt/archives/*.deb "$folder"/root/var/lib/apt/lists/* "$folder"/root/usr/share/{doc,man,locale}/*
# No service starts while packages are installed, and what no container reads is not unpacked at all.
printf '#!/bin/sh\nexit 101\n' > "$folder/root/usr/sbin/policy-rc.d"
chmod 0755 "$folder/root/usr/sbin/policy-rc.d"
printf 'path-exclude=/usr/share/%s/*\n' doc man locale info lintian > "$folder/root/etc/dpkg/dpkg.cfg.d/lab"
printf 'APT::Keep-Downloaded-Packages "false";\n' > "$folder/root/etc/apt/apt.conf.d/90lab"
tar -C "$folder/root" -c . | docker import --message "$suite" - "$image" > /dev/null
say "$image: $(size_of "$image")"
echo "$image"
