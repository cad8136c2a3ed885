#!/usr/bin/env bash
# host-image/build.sh: the image that droplets of `--sandbox=docker` are containers of; prints its name.
# shellcheck source-path=SCRIPTDIR source=../common.sh
. "$(dirname "$0")/../common.sh"
need_docker

image=ipai-lab/host:$(digest base.sh layer.sh host-image)
if ! have_image "$image"; then
  base=$("$lab/base.sh" trixie)
  say 'host image: systemd, sshd, cloud-init, Docker, Compose'
  layer "$image" "$base" "$lab/host-image"
  say "$image: $(size_of "$image")"
fi
# The name under which the ipai program looks for it.
docker tag "$image" ipai-lab/host:current
echo "$image"
