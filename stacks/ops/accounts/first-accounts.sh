#!/bin/sh
# Takes the first account of Mattermost and of Focalboard, which in both is the administrator's.
#
# Runs before Caddy opens the sites: whoever registers first owns the server. Later runs find the door
# closed, which is what they want to see. Passwords stay in the two mounted files.
set -eu
folder=$(dirname "$0")
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# post URL FILE: prints the status, keeps the body in $answer. The header is Focalboard's CSRF check.
post() {
	curl -sS --max-time 30 --retry 5 --retry-connrefused -o "$answer" -w '%{http_code}' \
		-H 'Content-Type: application/json' -H 'X-Requested-With: XMLHttpRequest' --data-binary "@$2" "$1"
}

# settle NAME STATUS CREATED REFUSED PATTERN: tells "created" and "was there before" from trouble.
settle() {
	if [ "$2" = "$3" ]; then
		echo "$1: administrator created"
	elif [ "$2" = "$4" ] && grep -q "$5" "$answer"; then
		echo "$1: has its administrator"
	else
		echo "$1: answered $2 to the registration: $(head -c 500 "$answer")" >&2
		exit 1
	fi
}

status=$(post http://mattermost:8065/api/v4/users "$folder/mattermost.json")
settle Mattermost "$status" 201 403 'no_open_server'
status=$(post http://focalboard:8000/api/v2/register "$folder/focalboard.json")
settle Focalboard "$status" 200 401 'already exist'
