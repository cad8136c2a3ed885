# shellcheck shell=bash
# What every build script of the lab shares: progress, content hashes, and containers that install packages.
#
# An image's tag is the hash of everything that its recipe reads, so building again costs a look. The versions of
# packages are not part of it: they are whatever the archive had on the day of the first build.

set -euo pipefail

lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Images that were saved for loading into droplets. The ipai program looks in the same place.
# shellcheck disable=SC2034
cache=${IPAI_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ipai-lab}

say() { printf 'lab: %4ss  %s\n' "$SECONDS" "$*" >&2; }

die() {
  printf 'lab: %s\n' "$1" >&2
  shift
  [ $# = 0 ] || printf '     %s\n' "$@" >&2
  exit 1
}

need_docker() {
  command -v docker > /dev/null || die 'no docker command here' 'on Debian and Ubuntu: apt-get install docker.io'
  docker info > /dev/null 2>&1 || die 'the Docker Engine does not answer' 'start it (systemctl start docker), or look at: docker info'
}

# digest PATH|TEXT…: the hash of files (their names below the lab and their contents) and of plain words.
digest() {
  local item
  for item in "$@"; do
    if [ -e "$lab/$item" ]; then
      (cd "$lab" && find "$item" -type f -print0 | sort -z | xargs -0 sha256sum)
    else
      printf 'word %s\n' "$item"
    fi
  done | sha256sum | cut -c 1-16
}

have_image() { docker image inspect "$1" > /dev/null 2>&1; }

size_of() { docker image inspect --format '{{.Size}}' "$1" | awk '{ printf "%.0f MB", $1 / 1000000 }'; }

# How this machine reaches package registries. Containers that install see it in /run/machine; images keep none of it.
machine_settings() {
  local name
  apt-config dump 2> /dev/null | grep -E '^Acquire::(https?::|Check-|Retries|ForceIPv)' > "$1/apt.conf" || : > "$1/apt.conf"
  printf 'DPkg::Options { "--force-unsafe-io"; };\nAPT::Install-Recommends "false";\n' >> "$1/apt.conf"
  cp "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$1/ca.crt"
  {
    for name in APT_CONFIG=/run/machine/apt.conf DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
      {SSL_CERT_FILE,PIP_CERT,NODE_EXTRA_CA_CERTS,npm_config_cafile}=/run/machine/ca.crt; do
      echo "export $name"
    done
    for name in {http,https,no}_proxy {HTTP,HTTPS,NO}_PROXY PIP_INDEX_URL PIP_EXTRA_INDEX_URL npm_config_registry; do
      [ -z "${!name-}" ] || printf 'export %s=%q\n' "$name" "${!name}"
    done
  } > "$1/env"
}

# layer NAME BASE FOLDER: runs FOLDER/install.sh in a container of BASE, with FOLDER at /run/recipe, and keeps what it
# leaves, with the instructions of FOLDER/Dockerfile, as the image NAME. (Packages are not installed by `docker build`:
# mounts that leave no trace need BuildKit there, which Debian 12's Docker lacks.)
layer() {
  local name=$1 base=$2 folder=$3 settings container status=0
  settings=$(mktemp -d)
  machine_settings "$settings"
  container=$(docker create --network host -v "$folder:/run/recipe:ro" -v "$settings:/run/machine:ro" --entrypoint bash \
    "$base" -c '. /run/machine/env && exec bash -euo pipefail /run/recipe/install.sh')
  nice -n 10 docker start --attach "$container" > "$settings/log" 2>&1 &&
    docker commit "$container" "$name-filled" > /dev/null &&
    { echo "FROM $name-filled"; cat "$folder/Dockerfile"; } | docker build --quiet --tag "$name" - > "$settings/log" 2>&1 ||
    status=$?
  docker rm -f "$container" > /dev/null
  docker rmi "$name-filled" > /dev/null 2>&1 || :
  [ "$status" = 0 ] || tail -n 40 "$settings/log" >&2
  rm -rf "$settings"
  [ "$status" = 0 ] || die "building $name failed ($status); its last words are above"
}
