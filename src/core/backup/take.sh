
# ── Taking one ────────────────────────────────────────────────────────────────────────────────────────────────────

took=0
at_end() {
  code=$?
  trap - EXIT HUP INT TERM
  [ "$took" = 1 ] || start_again
  if [ "$code" != 0 ]; then
    why=$(cat "$state/error" 2>/dev/null)
    record failed "${why:-it was stopped}"
  fi
  rm -rf -- "$stage"
  exit "$code"
}

# record RESULT ERROR: what `ipai status` shows.
record() {
  good=$(cat "$state/good.json" 2>/dev/null)
  printf '{"result":%s,"time":%s,"seconds":%s,"error":%s,"good":%s}\n' "$(js "$1")" "$(js "$(now)")" \
    "$(($(date +%s) - began))" "$(js "$2")" "${good:-null}" | put "$state/last.json"
}

running_of() {
  of "$IPAI_STOPS" | second | while read -r wanted; do
    containers | while read -r id service run; do
      [ "$service" != "$wanted" ] || [ "$run" != running ] || printf '%s\n' "$id"
    done
  done
}

enough_space() {
  need=0
  for db in $(of "$IPAI_DATABASES" | second); do
    size=$(printf "SELECT pg_database_size(datname) FROM pg_database WHERE datname = '%s';" "$db" | sql | head -n 1)
    need=$((need + ${size:-0}))
  done
  free=$(df -Pk "$state" | tail -n 1 | { read -r _ _ _ free _; printf '%s' "$free"; })
  [ "$((need / 1024))" -lt "$free" ] || fail 28 "the disk has $((free / 1024)) MiB left, and the databases' dumps may need $((need / 1048576)) MiB" "make room on the host, or give it a larger disk or volume"
}

dump() {
  db=$1
  phase "dump $db"
  docker exec -i "$pg" pg_dump -U "$IPAI_POSTGRES_USER" -Fc -Z0 --no-owner --no-privileges -d "$db" \
    </dev/null >"$stage/databases/$db.dump.part" 2>"$state/pg.err" || fail 74 "pg_dump of $db failed: $(head -n 2 "$state/pg.err" | tr '\n' ' ')" "see the service's log: ipai logs $IPAI_POSTGRES"
  docker exec -i "$pg" pg_restore -l <"$stage/databases/$db.dump.part" >/dev/null 2>"$state/pg.err" \
    || fail 74 "the dump of $db cannot be read again: $(head -n 2 "$state/pg.err" | tr '\n' ' ')"
  printf '%s\n' "$COUNTS" | sql "$db" >"$stage/databases/$db.rows" || fail 74 "the rows of $db could not be counted"
  mv -f -- "$stage/databases/$db.dump.part" "$stage/databases/$db.dump"
}

# The same twice: as JSON for people and for ipai, as lines for this program.
manifest() {
  printf '{"format":1,"stack":%s,"project":%s,"time":%s,"online":%s,"host":%s,"postgres":%s' \
    "$(js "$IPAI_SOURCE")" "$(js "$IPAI_PROJECT")" "$(js "$time")" "$online" "$(js "$(uname -n)")" \
    "$(echo 'SHOW server_version_num;' | sql | head -n 1)"
  printf ',"services":{'
  comma=
  containers | while read -r id service _; do
    image=$(docker inspect --format '{{.Image}} {{.Config.Image}}' "$id" </dev/null) || continue
    digest=$(docker image inspect --format '{{json .RepoDigests}}' "${image%% *}" 2>/dev/null </dev/null)
    printf '%s%s:{"image":%s,"id":%s,"digests":%s}' "$comma" "$(js "$service")" "$(js "${image#* }")" "$(js "${image%% *}")" "${digest:-null}"
    comma=,
  done
  printf '},"keys":{'
  comma=
  keys | while read -r key print; do
    printf '%s%s:%s' "$comma" "$(js "$key")" "$(js "$print")"
    comma=,
  done
  printf '},"databases":{'
  comma=
  grep '^database ' "$stage/index" | while read -r _ service db role sum bytes; do
    printf '%s%s:{"service":%s,"role":%s,"bytes":%s,"sha256":"%s","rows":{' "$comma" "$(js "$db")" "$(js "$service")" "$(js "$role")" "$bytes" "$sum"
    inner=
    while IFS='|' read -r table rows; do
      [ -z "$table" ] || { printf '%s%s:%s' "$inner" "$(js "$table")" "$rows"; inner=,; }
    done <"$stage/databases/$db.rows"
    printf '}}'
    comma=,
  done
  printf '},"folders":{'
  comma=
  grep -E '^(volume|directory) ' "$stage/index" | while read -r kind service name bytes files path; do
    printf '%s%s:{"service":%s,"kind":"%s","path":%s,"bytes":%s,"files":%s}' "$comma" "$(js "$name")" "$(js "$service")" "$kind" "$(js "$path")" "$bytes" "$files"
    comma=,
  done
  printf '}}\n'
}

index() {
  printf 'backup 1 %s %s\n' "$time" "$online"
  keys | while read -r key print; do printf 'key %s %s\n' "$key" "$print"; done
  of "$IPAI_DATABASES" | while read -r service db role; do
    printf 'database %s %s %s %s %s\n' "$service" "$db" "$role" "$(sum_of "$stage/databases/$db.dump")" "$(stat -c %s -- "$stage/databases/$db.dump")"
  done
  while read -r service kind name path; do
    bytes=$(du -sb -- "$path" | { read -r bytes _; printf '%s' "$bytes"; })
    printf '%s %s %s %s %s %s\n' "$kind" "$service" "$name" "$bytes" "$(find "$path" ! -type d | wc -l)" "${path#"$root"}"
  done <"$stage/folders"
}

# Everything beside databases: service, kind, name, path on this host. Fails when a volume is missing.
folders() {
  of "$IPAI_VOLUMES" | while read -r service name; do
    path=$(docker volume inspect --format '{{.Mountpoint}}' "$name" 2>/dev/null) || fail 66 "the volume $name does not exist" "ipai apply makes it; is its name right in [backup]?"
    printf '%s volume %s %s\n' "$service" "$name" "$path"
  done || return
  of "$IPAI_DIRECTORIES" | while read -r service path; do
    # What a service makes for itself may not be there yet.
    [ -d "$root$path" ] || { say "note: the directory $path is not there, so it is left out"; continue; }
    printf '%s directory %s %s\n' "$service" "$path" "$root$path"
  done
}

take() {
  [ "$IPAI_STACK" = "$IPAI_SOURCE" ] || fail 64 "a drill takes no backups"
  began=$(date +%s)
  rm -f -- "$state/error"
  alone
  resume
  trap at_end EXIT
  trap 'exit 130' HUP INT TERM
  online=false
  [ "$IPAI_ONLINE" != 1 ] || online=true
  tags="--tag ipai --tag stack:$IPAI_SOURCE"
  [ $# = 0 ] || for word; do case $word in --online) online=true ;; --tag=*) tags="$tags --tag ${word#--tag=}" ;; *) fail 64 "not an option: $word" ;; esac; done
  [ "$online" = false ] || tags="$tags --tag online"
  phase "repository"
  open_repository make
  postgres
  rm -rf -- "$stage"
  mkdir -p "$stage/databases" || fail 73 "cannot write below $state"
  enough_space
  folders >"$stage/folders" || exit
  if [ "$online" = false ]; then
    phase "stop services"
    running_of | stop_those || fail 69 "the services could not be stopped"
  fi
  time=$(now)
  for db in $(of "$IPAI_DATABASES" | second); do dump "$db"; done
  phase "files"
  { index >"$stage/index" && manifest >"$stage/manifest.json"; } || fail 74 "the manifest could not be written"
  set --
  while read -r _ _ _ path; do set -- "$@" "$path"; done <"$stage/folders"
  rm -f -- "$stage/folders"
  [ ! -d "$root$IPAI_DIRECTORY" ] || set -- "$@" "$root$IPAI_DIRECTORY"
  # shellcheck disable=SC2086
  unlocked backup --json --host "$IPAI_SOURCE" $tags --exclude "$root$IPAI_DIRECTORY/.ipai" --exclude "$root$IPAI_DIRECTORY/backup" "$stage" "$@" >"$state/restic.out"
  code=$?
  [ "$code" = 0 ] || repo_failed "$code" "write the backup"
  phase "start services"
  start_again
  took=1
  id=$(tail -n 1 "$state/restic.out" | sed -n 's/.*"snapshot_id":"\([0-9a-f]*\)".*/\1/p')
  bytes=$(tail -n 1 "$state/restic.out" | sed -n 's/.*"total_bytes_processed":\([0-9]*\).*/\1/p')
  added=$(tail -n 1 "$state/restic.out" | sed -n 's/.*"data_added":\([0-9]*\).*/\1/p')
  [ -n "$id" ] || fail 74 "restic did not say which snapshot it made: $(tail -n 1 "$state/restic.out" | cut -c 1-200)"
  printf '{"id":"%s","time":"%s","online":%s,"bytes":%s,"added":%s}\n' "$id" "$time" "$online" "${bytes:-0}" "${added:-0}" | put "$state/good.json"
  if [ -n "$IPAI_KEEP" ]; then
    phase "forget old ones"
    # shellcheck disable=SC2086
    unlocked forget --quiet --host "$IPAI_SOURCE" --tag "ipai,stack:$IPAI_SOURCE" --group-by host $IPAI_KEEP --prune >/dev/null \
      || say "warning: old backups could not be removed: $(restic_said)"
  fi
  if [ "$online" = false ]; then
    phase "health"
    until_well || fail 70 "the backup $id was taken, but these services are not well since: $ill" "ipai status and ipai logs tell more"
  fi
  record ok ""
  printf '@backup %s\n' "$(cat "$state/good.json")"
}

list() { open_repository; unlocked snapshots --json --host "$IPAI_SOURCE" --tag "ipai,stack:$IPAI_SOURCE" || repo_failed $? "list the backups"; }

# Where manifest, index and dumps lie in every backup of this stack, whichever host made it.
inside=/var/lib/ipai/$IPAI_SOURCE/backup/stage

# fetch ID: the index and the manifest of a backup. Each call of restic costs about a second, whatever it does, so a
# reason is looked for only when there is one.
fetch() {
  [ -n "${1-}" ] || fail 64 "no backup was named"
  need_restic
  limit='timeout 120'
  if out_of "$1" "$inside" "$state/fetched" "$inside/manifest.json" "$inside/index" && mv -f -- "$state/fetched/manifest.json" "$state/fetched/index" "$state/"; then
    limit=
    rm -rf -- "$state/fetched"
    return
  fi
  limit=
  said=$(restic_said)
  open_repository
  unlocked snapshots --json "$1" >"$state/restic.out" || repo_failed $? "find backup $1"
  grep -qF "$inside\"" "$state/restic.out" || fail 66 "there is no backup $1 of this stack" "list them: ipai backups"
  fail 65 "backup $1 cannot be read: $said" "choose another one: ipai backups"
}

# verify ID [PART]: can it be read, and is it what was written? PART of the repository's data is read whole.
verify() {
  alone
  phase "manifest"
  fetch "$@"
  postgres
  while read -r kind _ db _ sum _; do
    [ "$kind" = database ] || continue
    phase "dump $db"
    unlocked dump "$1" "$inside/databases/$db.dump" >"$state/verify.dump" || fail 65 "the dump of $db cannot be read back: $(restic_said)" "choose another one: ipai backups"
    readable "$state/verify.dump" "$db" "$sum"
    rm -f -- "$state/verify.dump"
  done <"$state/index"
  phase "repository"
  unlocked check --quiet --read-data-subset="${2:-10%}" >/dev/null
  code=$?
  case $code in
    0) ;;
    10 | 11 | 12) repo_failed "$code" "check the repository" ;;
    *) fail 65 "the repository is damaged: $(restic_said)" "restic repair may mend it; take a new backup at once, into another repository" ;;
  esac
  printf '@verified %s\n' "$1"
}

# whole ID: can everything of it be read? For a host without a database yet.
whole() {
  alone
  phase "read backup $(printf '%s' "$1" | cut -c 1-8)"
  fetch "$@"
  while read -r kind _ db _ sum _; do
    [ "$kind" = database ] || continue
    unlocked dump "$1" "$inside/databases/$db.dump" >"$state/verify.dump" || fail 65 "the dump of $db cannot be read back: $(restic_said)"
    same "$state/verify.dump" "$db" "$sum"
    rm -f -- "$state/verify.dump"
  done <"$state/index"
}

# same FILE DATABASE SUM
same() {
  [ "$(sum_of "$1")" = "$3" ] || fail 65 "the dump of $2 is not what was written" "choose another one: ipai backups"
}

# readable FILE DATABASE SUM
readable() {
  same "$@"
  docker exec -i "$pg" pg_restore -l <"$1" >/dev/null 2>&1 || fail 65 "pg_restore cannot read the dump of $2" "choose another one: ipai backups"
}
