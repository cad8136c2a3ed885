# shellcheck shell=bash
# What every build script of the lab shares: progress and content hashes.
#
# An image's tag is the hash of everything that its recipe reads, so building again costs a look. The versions of
# packages are not part of it: they are whatever the archive had on the day of the first build.

set -euo pipefail
shopt -s inherit_errexit

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

# shellcheck source-path=SCRIPTDIR source=layer.sh
. "$lab/layer.sh"
