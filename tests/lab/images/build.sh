#!/usr/bin/env bash
# images/build.sh [STACK]: the images that a stack's Compose file asks for, from packages, in a store from which every
# droplet's engine has them at its start, under the names that they have in production. Prints the store, a volume.
#
# On this machine's own engine they keep names of their own, so that it never holds a `postgres:17` that is not one.
# shellcheck source-path=SCRIPTDIR source=../common.sh
. "$(dirname "$0")/../common.sh"
stack=$(cd "${1:-$lab/../../stacks/ops}" && pwd)
need_docker

# wanted: the stack's image names, with the variables of stack.toml filled in. Superset's is built by the stack itself,
# on the official one.
wanted() {
  awk '
    FILENAME ~ /stack\.toml$/ && match($0, /^[a-z0-9_]+ *= *"[^"]*"/) {
      name = $0; sub(/ *=.*/, "", name)
      value = $0; sub(/^[^"]*"/, "", value); sub(/".*/, "", value)
      if (!(name in values)) values[name] = value
    }
    FILENAME ~ /compose\.yaml$/ && sub(/^ *image: */, "") {
      for (name in values) gsub("{{ *var\\." name " *}}", values[name])
      sub(/^localhost\/ops-superset:/, "apache/superset:"); sub(/-psycopg2-.*/, "")
      print
    }' "$stack/stack.toml" "$stack/docker/compose.yaml" | sort -u
}

# recipe_of NAME: the folder that makes an image of this name.
recipe_of() {
  local name=${1%:*}
  case ${name##*/} in
    postgres) echo postgres ;;
    caddy) echo caddy ;;
    mattermost-team-edition) echo mattermost ;;
    focalboard) echo focalboard ;;
    n8n) echo n8n ;;
    runners) echo runners ;;
    superset) echo superset ;;
    *) die "no recipe makes $1" "the lab knows: $(cd "$lab/images" && echo */)" ;;
  esac
}

# build RECIPE: makes it and what it rests on; prints the image's name.
build() {
  local base parent image
  base=$(< "$lab/images/$1/base")
  if [ -d "$lab/images/$base" ]; then parent=$(build "$base"); else parent=$("$lab/base.sh" "$base"); fi
  image=ipai-lab/$1:$(digest layer.sh "images/$1" "$parent")
  if ! have_image "$image"; then
    say "$1 image"
    layer "$image" "$parent" "$lab/images/$1"
    say "$image: $(size_of "$image")"
  fi
  echo "$image"
}

tags=$(mktemp)
trap 'rm -f "$tags"' EXIT
names=$(wanted)
for name in $names; do
  recipe=$(recipe_of "$name")
  image=$(build "$recipe")
  printf '%s %s\n' "$image" "$name" >> "$tags"
done
[ -s "$tags" ] || die "$stack asks for no image"

# What the container that fills the store may do; droplets run under the same rights (see the simulator's docker hosts).
rights=(--cap-add ALL --cap-drop SYS_RESOURCE --security-opt seccomp=unconfined --security-opt apparmor=unconfined
  --security-opt systempaths=unconfined --device-cgroup-rule 'a *:* rwm' --cgroupns private --tmpfs /run:exec --tmpfs /tmp:exec)

# fill STORE HOST: an engine as the droplets have it loads the images into the volume STORE and gives them their names.
fill() {
  local engine image name
  docker volume rm "$1" > /dev/null 2>&1 || :
  docker volume create --label ipai.lab=images "$1" > /dev/null
  engine=$(docker run --detach "${rights[@]}" --mount "type=volume,source=$1,target=/var/lib/docker" "$2" \
    dockerd --bridge none --iptables=false --ip6tables=false)
  for _ in $(seq 60); do
    ! docker exec "$engine" docker info > /dev/null 2>&1 || break
    sleep 1
  done
  if cut -d ' ' -f 1 "$tags" | sort -u | xargs docker save | docker exec -i "$engine" docker load --quiet > /dev/null; then
    while read -r image name; do
      docker exec "$engine" sh -c 'docker tag "$1" "$2" && docker rmi "$1"' - "$image" "$name" > /dev/null
    done < "$tags"
    docker stop -t 60 "$engine" > /dev/null
    docker rm "$engine" > /dev/null
  else
    docker logs --tail 20 "$engine" >&2
    docker rm -f "$engine" > /dev/null
    die 'the images could not be loaded' 'the last words of the engine are above'
  fi
}

host=$("$lab/host-image/build.sh")
store=ipai-lab-images-$(digest "$(< "$tags")" "$host")
# The file is written last, so it names a store that is whole. The ipai program reads it too.
if [ "$(cat "$cache/image-store" 2> /dev/null)" != "$store" ] || ! docker volume inspect "$store" > /dev/null 2>&1; then
  say 'loading the images into a store that droplets share'
  fill "$store" "$host"
  mkdir -p "$cache"
  echo "$store" > "$cache/image-store"
  say "$store"
fi
# Older stores, but for those of droplets that are still there.
older=$(docker volume ls --quiet --filter label=ipai.lab=images | grep -vx "$store" || :)
for volume in $older; do
  say "removing the older store $volume"
  docker volume rm "$volume" > /dev/null 2>&1 || say "$volume is in use"
done
echo "$store"
