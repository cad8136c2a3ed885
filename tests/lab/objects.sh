#!/usr/bin/env bash
# objects.sh: the image of an object storage for backups; prints its name.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
need_docker

parent=$("$lab/base.sh" "$(< "$lab/images/objects/base")")
image=ipai-lab/objects:$(digest layer.sh images/objects "$parent")
if ! have_image "$image"; then
  say "objects image"
  layer "$image" "$parent" "$lab/images/objects"
  say "$image: $(size_of "$image")"
fi
echo "$image"
