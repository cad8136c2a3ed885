#!/bin/sh
# Takes backups of this host's stack and restores them. Written by ipai, and written anew when it is edited here.
set -u
LC_ALL=C
export LC_ALL
umask 077
root=${IPAI_ROOT-}
home=${0%/*}
# shellcheck disable=SC1091
. "$home/settings" || exit 78
state=$root/var/lib/ipai/$IPAI_STACK/backup
stage=$state/stage
RESTIC_CACHE_DIR=$state/cache
RESTIC_PROGRESS_FPS=0.1
export RESTIC_CACHE_DIR RESTIC_PROGRESS_FPS
mkdir -p "$state" || exit 73
exec 3>&1

say() { printf '%s\n' "$*" >&3; }
phase() { printf '@phase %s %s\n' "$(date +%s)" "$*" >&3; }
# fail CODE TEXT [HINT]
fail() {
  printf '@error %s\n' "$2" >&3
  [ -z "${3-}" ] || printf '@hint %s\n' "$3" >&3
  printf '%s\n' "$2" >"$state/error"
  exit "$1"
}
# Puts standard input into a file, whole or not at all.
put() { cat >"$1.part" && sync -- "$1.part" && mv -f -- "$1.part" "$1" && sync -- "${1%/*}"; }
now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
# The SHA-256 of a file. OpenSSL, where there is one, takes a quarter of the time, and services may stand still meanwhile.
sum_of() {
  { openssl dgst -sha256 -r <"$1" 2>/dev/null || sha256sum <"$1"; } | {
    read -r sum _
    printf '%s' "$sum"
  }
}
# One string of JSON.
js() { printf '"%s"' "$(printf '%s' "$1" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/[[:cntrl:]]/ /g' | tr -d '\n')"; }
# The lines of a list whose first word is the wanted service; all of them without one.
of() { printf '%s\n' "$1" | while read -r service rest; do
  [ -z "$service" ] || { [ -n "${only-}" ] && [ "$only" != "$service" ]; } || printf '%s %s\n' "$service" "$rest"
done; }
# The keys with their fingerprints, whatever service is meant.
keys() { printf '%s\n' "$IPAI_KEYS" | grep .; }
# The second words of such lines.
second() { while read -r _ word _; do printf '%s\n' "$word"; done; }

alone() {
  exec 9>"$state/lock"
  flock -n 9 || fail 75 "a backup or restore is under way on this host" "wait for it; ipai backups shows the last one's end"
}

need_restic() {
  command -v restic >/dev/null && return
  command -v apt-get >/dev/null || fail 69 "restic is not installed" "install the package restic"
  say "installing restic"
  { apt-get install -y -qq --no-install-recommends restic || { apt-get update -qq && apt-get install -y -qq --no-install-recommends restic; }; } \
    >"$state/apt.log" 2>&1 </dev/null || fail 69 "restic could not be installed: $(tail -n 1 "$state/apt.log")" "install the package restic by hand"
}

# Becomes a command whose process is known by the file $pid, and which does not begin once there is $pid.stop.
stoppable() {
  # shellcheck disable=SC2016
  exec sh -c 'echo $$ >"$0"; [ ! -e "$0.stop" ] || exit 130; exec "$@"' "$pid" "$@"
}

# What restic said last.
errors=$state/restic.err

# Runs restic; what went wrong becomes one of its own exit codes (10 no repository, 11 locked, 12 wrong password), which
# versions before 0.17 only say in words.
repo() {
  (
    # What opens the repository is in restic's environment alone.
    for name in ${IPAI_RESTIC-}; do export "${name?}"; done
    [ -z "${pid-}" ] || stoppable restic "$@"
    # shellcheck disable=SC2086
    exec ${limit-} restic "$@"
  ) 2>"$errors" </dev/null
  code=$?
  [ "$code" = 1 ] || return "$code"
  case $(cat "$errors") in
    *'wrong password'*) return 12 ;;
    *'already locked'*) return 11 ;;
    *'Is there a repository at the following location'* | *'repository does not exist'*) return 10 ;;
  esac
  return 1
}

restic_said() { grep -v '^$' "$errors" 2>/dev/null | tail -n 2 | tr '\n' ' ' | cut -c 1-300; }

# repo_failed CODE DOING
repo_failed() {
  case $1 in
    10) fail 10 "there is no backup repository at $(place)" "ipai backup makes one; is [backup] repository the right one?" ;;
    11) fail 11 "the backup repository is locked by another restic: $(restic_said)" "wait for it; if it is surely dead: restic unlock --remove-all" ;;
    12) fail 12 "the backup repository's password is not the stack's" "put the right one into the secret that [backup] password names" ;;
    124) fail 74 "$(place) did not answer in time: $(restic_said)" "is it up, and does the host's way there work?" ;;
    *) fail 74 "cannot $2: $(restic_said)" "is $(place) reachable from the host, and has it space left?" ;;
  esac
}

# The repository's address without what may be secret in it.
place() { printf '%s' "$RESTIC_REPOSITORY" | sed -e 's|//[^/@]*@|//…@|'; }

# Runs restic, and once more when what locked the repository has died: restic knows by host, process and age.
unlocked() {
  repo "$@"
  code=$?
  [ "$code" = 11 ] || return "$code"
  repo unlock >/dev/null
  repo "$@"
}

open_repository() {
  need_restic
  # Restic by itself would try for a quarter of an hour, for a bucket that does not exist too.
  for limit in 'timeout 15' 'timeout 60'; do
    unlocked cat config >/dev/null
    code=$?
    [ "$code" = 124 ] || break
    ! grep -q 'bucket does not exist' "$errors" || { code=10; break; }
  done
  limit=
  [ "$code" = 0 ] && return
  { [ "$code" = 10 ] && [ "${1-}" = make ]; } || repo_failed "$code" "open the backup repository"
  say "making the backup repository $(place)"
  repo init >/dev/null || repo_failed $? "make the backup repository"
}

running_postgres() { containers | while read -r id service run; do [ "$service" != "$IPAI_POSTGRES" ] || [ "$run" != running ] || printf '%s\n' "$id"; done | head -n 1; }
postgres() {
  pg=$(running_postgres)
  [ -n "$pg" ] || fail 69 "the database's service $IPAI_POSTGRES does not run" "ipai up starts it"
}
sql() { docker exec -i "$pg" psql -X -q -A -t -v ON_ERROR_STOP=1 -U "$IPAI_POSTGRES_USER" -d "${1:-postgres}"; }

# list_containers FORMAT: the project's containers.
list_containers() {
  docker ps -a --no-trunc --filter "label=com.docker.compose.project=$IPAI_PROJECT" --filter label=com.docker.compose.oneoff=False --format "$1"
}
containers() { list_containers '{{.ID}} {{.Label "com.docker.compose.service"}} {{.State}}'; }
compose() { docker compose -p "$IPAI_PROJECT" --project-directory "$root$IPAI_DIRECTORY" -f "$root$IPAI_DIRECTORY/compose.yaml" "$@" </dev/null; }

# Exact numbers of rows, one table a line.
COUNTS="SELECT format('%s.%s|%s', n.nspname, c.relname, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I.%I', n.nspname, c.relname), false, true, '')))[1])
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1;"

# Waits until every container of the project is well: running and healthy, or ended well.
until_well() {
  end=$(($(date +%s) + IPAI_TIMEOUT))
  while :; do
    ill=$(list_containers '{{.Label "com.docker.compose.service"}} {{.State}} {{.Status}}' | while read -r service run status; do
      case "$run $status" in
        running*'(healthy)'*) ;;
        running*'('*) printf '%s ' "$service" ;;
        running*) ;;
        'exited Exited (0)'*) ;;
        *) printf '%s ' "$service" ;;
      esac
    done)
    [ -n "$ill" ] || return 0
    [ "$(date +%s)" -lt "$end" ] || return 1
    sleep 0.5
  done
}

# What was stopped is started by whoever comes next, even after a crash.
start_again() {
  [ -e "$state/stopped" ] || return 0
  # shellcheck disable=SC2046
  docker start $(cat "$state/stopped") >/dev/null 2>"$state/start.err" || say "warning: not everything that was stopped could be started: $(head -n 1 "$state/start.err")"
  rm -f -- "$state/stopped"
}

# stop_those: ids on standard input, one a line.
stop_those() {
  ids=$(cat)
  [ -n "$ids" ] || return 0
  { [ ! -e "$state/stopped" ] || cat "$state/stopped"; printf '%s\n' "$ids"; } | sort -u | put "$state/stopped"
  # shellcheck disable=SC2086
  docker stop -t 30 $ids >/dev/null
}

# out_of ID BASE DESTINATION PATH…: paths below a folder of a backup, with owners and modes. Old versions know no other
# way than to restore them under their whole names.
out_of() {
  snapshot=$1 base=$2 destination=$3
  shift 3
  for each; do
    shift
    set -- "$@" --include "$each"
  done
  rm -rf -- "$destination" "$destination.tree"
  unlocked restore "$snapshot" "$@" --target "$destination.tree" >/dev/null && mv -T -- "$destination.tree$base" "$destination"
  code=$?
  rm -rf -- "$destination.tree"
  return "$code"
}

# folder_of ID PATH DESTINATION
folder_of() { out_of "$1" "$2" "$3" "$2"; }
