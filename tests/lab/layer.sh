# shellcheck shell=bash
# Containers that install packages, and the images they leave behind. Part of every image's hash.

# How this machine reaches package registries. Containers that install see it in /run/machine; images keep none of it.
machine_settings() {
  local name
  apt-config dump 2> /dev/null | grep -E '^Acquire::(https?::|Check-|Retries|ForceIPv)' > "$1/apt.conf" || : > "$1/apt.conf"
  # Without its two indexes, apt leaves 80 MB less behind.
  printf '%s\n' 'DPkg::Options { "--force-unsafe-io"; };' 'APT::Install-Recommends "false";' \
    'Dir::Cache::pkgcache "";' 'Dir::Cache::srcpkgcache "";' >> "$1/apt.conf"
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

# settle NAME IMAGE FOLDER: gives an image how it is run, from the instructions in FOLDER/Dockerfile.
settle() {
  local said
  said=$({ printf '%s\n' "FROM $2" 'ENTRYPOINT []' 'CMD ["bash"]'; cat "$3/Dockerfile"; } | docker build --quiet --tag "$1" - 2>&1) ||
    { printf '%s\n' "$said" >&2; return 1; }
}

# layer NAME BASE FOLDER: runs FOLDER/install.sh in a container of BASE, with FOLDER at /run/recipe, and keeps what it
# leaves as the image NAME. (Packages are not installed by `docker build`:
# mounts that leave no trace need BuildKit there, which Debian 12's Docker lacks.)
layer() {
  local name=$1 base=$2 folder=$3 settings container status=0
  if [ ! -e "$folder/install.sh" ]; then
    settle "$name" "$base" "$folder"
    return
  fi
  settings=$(mktemp -d)
  machine_settings "$settings"
  container=$(docker create --network host --user 0 -v "$folder:/run/recipe:ro" -v "$settings:/run/machine:ro" --entrypoint bash \
    "$base" -c '. /run/machine/env && exec bash -euo pipefail /run/recipe/install.sh')
  nice -n 10 docker start --attach "$container" > "$settings/log" 2>&1 &&
    docker commit "$container" "$name-filled" > /dev/null &&
    settle "$name" "$name-filled" "$folder" > "$settings/log" 2>&1 ||
    status=$?
  docker rm -f "$container" > /dev/null
  docker rmi "$name-filled" > /dev/null 2>&1 || :
  [ "$status" = 0 ] || tail -n 40 "$settings/log" >&2
  rm -rf "$settings"
  [ "$status" = 0 ] || die "building $name failed ($status); its last words are above"
}
