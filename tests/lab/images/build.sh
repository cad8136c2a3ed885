#!/usr/bin/env bash
# images/build.sh [STACK]: the images that a stack's Compose file asks for, from packages, saved for loading into
# droplets. Prints the folder: images.tar, and tags, which says what each image is called in production.
#
# The images keep names of their own here, so that this machine's engine never holds a `postgres:17` that is not one.
# shellcheck source-path=SCRIPTDIR source=../common.sh
. "$(dirname "$0")/../common.sh"
stack=$(cd "${1:-$lab/../../stacks/ops}" && pwd)
need_docker

# wanted: the stack's image names, with the variables of stack.toml filled in.
wanted() {
  awk '
    FILENAME ~ /stack\.toml$/ && match($0, /^[a-z0-9_]+ *= *"[^"]*"/) {
      name = $0; sub(/ *=.*/, "", name)
      value = $0; sub(/^[^"]*"/, "", value); sub(/".*/, "", value)
      if (!(name in values)) values[name] = value
    }
    FILENAME ~ /compose\.yaml$/ && sub(/^ *image: */, "") {
      for (name in values) gsub("{{ *var\\." name " *}}", values[name])
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
    ops-superset) echo superset ;;
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

folder=$cache/images/$(sha256sum < "$tags" | cut -c 1-16)
if [ ! -e "$folder/tags" ]; then
  say 'saving the images'
  mkdir -p "$folder"
  cut -d ' ' -f 1 "$tags" | sort -u | xargs docker save --output "$folder/images.tar"
  # Last, because its presence says that the archive is whole.
  cp "$tags" "$folder/tags.new" && mv "$folder/tags.new" "$folder/tags"
  say "saved: $(du -m "$folder/images.tar" | cut -f 1) MB"
fi
# The place in which the ipai program looks; older archives are in nobody's way but take room.
ln -sfn "$(basename "$folder")" "$cache/images/current"
find "$cache/images" -mindepth 1 -maxdepth 1 -type d ! -name "$(basename "$folder")" -exec rm -rf {} +
echo "$folder"
