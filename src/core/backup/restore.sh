
# ── Restoring ─────────────────────────────────────────────────────────────────────────────────────────────────────
#
# What is restored is put beside what is there (databases NAME__ipai_new, folders NAME.ipai-new). Then the services stop,
# and `switch` exchanges both by renaming; from its first rename on, whoever comes next completes it. What was there
# stays (…_old) until the services are well, and comes back if they are not. `journal` holds how far it has come:
#   switch   exchange is under way, or its services are to be started
#   back     what was there is on its way back
#   good     what was there may go
# Without a journal nothing was exchanged, and what lies beside is litter.

wanted() { grep -E "$1" "$state/index" | while read -r kind service rest; do
  { [ -n "${only-}" ] && [ "$only" != "$service" ]; } || printf '%s %s %s\n' "$kind" "$service" "$rest"
done; }

# name, path here and path in the backup of each folder.
places() {
  wanted '^(volume|directory) ' | while read -r kind _ name _ _ inside_path; do
    case $kind in
      volume) path=$(docker volume inspect --format '{{.Mountpoint}}' "$name" 2>/dev/null </dev/null) || fail 66 "the volume $name does not exist" "apply first: it makes the volumes" ;;
      *) path=$root$name ;;
    esac
    printf '%s %s %s\n' "$name" "$path" "$inside_path"
  done
}

# look [SERVICE]: what speaks against restoring, as far as this host knows; ipai judges.
look() {
  only=${2-}
  case $1 in import) [ -e "$state/import/index" ] || fail 66 "nothing was imported"; cp -- "$state/import/index" "$state/index" && cp -- "$state/import/manifest.json" "$state/manifest.json" ;; *) fetch "$1" ;; esac
  # On a host that is being rebuilt it does not run yet.
  pg=$(running_postgres)
  [ -z "$pg" ] || printf '@postgres %s\n' "$(echo 'SHOW server_version_num;' | sql | head -n 1)"
  keys | while read -r key print; do printf '@key %s %s\n' "$key" "$print"; done
  data=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null </dev/null)
  [ -d "$data" ] || data=$state
  printf '@free %s\n' "$(df -Pk "$data" | tail -n 1 | { read -r _ _ _ free _; printf '%s' "$((free * 1024))"; })"
  containers | while read -r id service _; do
    printf '@image %s %s\n' "$service" "$(docker inspect --format '{{.Config.Image}}' "$id" </dev/null)"
  done
  printf '@manifest %s\n' "$(cat "$state/manifest.json")"
}

keys_fit() {
  grep '^key ' "$state/index" | while read -r _ key print; do
    here=$(keys | while read -r name own; do [ "$name" != "$key" ] || printf '%s' "$own"; done)
    [ "$here" = "$print" ] || fail 65 "the key $key is not the one that the backup was made with, so what it encrypted could not be read" "put the secrets.toml back that belongs to the backup"
  done || exit
}

# Puts what is restored beside what is there: files while databases are loaded, which leaves restic a processor. It needs
# all of them to fetch a dump, so files begin when the first dump is here.
beside() {
  rm -f -- "$state/files.pid" "$state/files.pid.stop" "$state/files.go"
  (files_beside "$1") &
  files=$!
  (databases_beside "$1")
  code=$?
  [ "$code" = 0 ] || stop_files
  : >"$state/files.go"
  phase "files"
  wait "$files"
  ended=$?
  files=
  [ "$code" != 0 ] || code=$ended
  [ "$code" = 0 ] || { clear_away new; exit "$code"; }
  [ ! -s "$state/places" ] || sync
}

databases_beside() {
  wanted '^database ' | while read -r _ _ db role sum _; do
    phase "database $db"
    if [ "$1" = import ]; then file=$state/import/databases/$db.dump; else
      file=$state/piece/databases/$db.dump
      out_of "$1" "$inside" "$state/piece" "$inside/databases/$db.dump" "$inside/databases/$db.rows" && mv -f -- "$state/piece/databases/$db.rows" "$state/kept/$db" \
        || fail 65 "the dump of $db cannot be read: $(restic_said)" "nothing was changed; choose another backup: ipai backups"
    fi
    : >"$state/files.go"
    phase "load $db"
    # Before anything takes the place of what is there is early enough to know.
    same "$file" "$db" "$sum" &
    summed=$!
    load
    wait "$summed" || exit
    rm -rf -- "$state/piece"
  done
}

# Loads $file into a database beside $db.
load() {
  # Its password and its limits are the stack's to give, which every deployment does.
  [ "$(printf "SELECT rolname FROM pg_roles WHERE rolname IN ('%s');\n" "$role" | sql)" = "$role" ] \
    || printf 'CREATE ROLE "%s" LOGIN;\n' "$role" | sql || fail 74 "the role $role cannot be made"
  # What was not there comes back as what it was: empty.
  [ "$(printf "SELECT datname FROM pg_database WHERE datname IN ('%s');\n" "$db" | sql)" = "$db" ] || create_database "$db"
  printf 'DROP DATABASE IF EXISTS "%s__ipai_new" WITH (FORCE);\n' "$db" | sql || fail 74 "the database ${db}__ipai_new is in the way"
  create_database "${db}__ipai_new"
  docker exec -i "$pg" pg_restore -U "$IPAI_POSTGRES_USER" --exit-on-error --no-owner --no-privileges "--role=$role" -d "${db}__ipai_new" <"$file" >/dev/null 2>"$state/pg.err" || {
    # Damage says more than what pg_restore makes of it.
    wait "$summed" || exit
    fail 74 "pg_restore of $db failed: $(head -n 2 "$state/pg.err" | tr '\n' ' ')" "nothing was changed"
  }
  phase "look through $db"
  echo 'ANALYZE;' | sql "${db}__ipai_new" || fail 74 "the database $db could not be analyzed"
  phase "count $db"
  printf '%s\n' "$COUNTS" | sql "${db}__ipai_new" >"$state/rows/$db" || fail 74 "the rows of $db could not be counted"
}

create_database() {
  printf 'CREATE DATABASE "%s" OWNER "%s" TEMPLATE template0 ENCODING '"'UTF8'"';\n' "$1" "$role" | sql || fail 74 "a database of the role $role cannot be made" "does the role exist? ipai apply makes it"
}

files_beside() {
  errors=$state/files.err pid=$state/files.pid
  # Nobody waits for it once the program itself was killed.
  until [ -e "$state/files.go" ]; do kill -0 "$$" 2>/dev/null || exit; sleep 0.1; done
  while read -r name path inside_path; do
    kill -0 "$$" 2>/dev/null || exit
    new=$path.ipai-new
    rm -rf -- "$new"
    if [ "$1" = import ]; then
      (stoppable cp -a -T -- "$state/import/folders/$(flat "$name")" "$new") || fail 65 "the files of $name cannot be copied" "nothing was changed; is there room on the disk?"
    else
      folder_of "$1" "$inside_path" "$new" || fail 65 "the files of $name cannot be restored: $(restic_said)" "nothing was changed; is there room on the disk?"
    fi
    rm -f -- "$pid"
    [ -d "$path" ] || { mkdir -p -- "$path" && chmod 755 -- "$path"; } || fail 73 "cannot write $path"
  done <"$state/places"
}

# Ends what works on files in the background, and waits until it writes no more.
stop_files() {
  [ -n "${files-}" ] || return 0
  : >"$state/files.pid.stop"
  kill "$files" 2>/dev/null
  writing=$(cat "$state/files.pid" 2>/dev/null) || return 0
  kill "$writing" 2>/dev/null
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    kill -0 "$writing" 2>/dev/null || return 0
    sleep 0.25
  done
}

flat() { printf '%s' "$1" | sed -e 's|^/||' -e 's|/|__|g'; }

# Do the rows that were restored match the manifest's? With a backup of a running system they may be a little off.
compare() {
  : >"$state/counted"
  wanted '^database ' | while read -r _ _ db _; do
    printf '%s %s %s\n' "$db" "$(grep -c . "$state/rows/$db")" "$(awk -F'|' '{n += $2} END {print n + 0}' "$state/rows/$db")" >>"$state/counted"
    grep -v '^$' "$state/rows/$db" | sort >"$state/rows.found"
    if [ "$1" = import ]; then cat "$state/import/databases/$db.rows"; else cat "$state/kept/$db"; fi | grep -v '^$' | sort >"$state/rows.wanted"
    cmp -s "$state/rows.found" "$state/rows.wanted" && continue
    [ "$online" = true ] || { clear_away new; fail 65 "the rows of $db that were restored are not those of the manifest: $(diff "$state/rows.wanted" "$state/rows.found" | grep '^[<>]' | head -n 3 | tr '\n' ' ')" "nothing was changed"; }
    say "note: the backup was taken online, and rows of $db differ from its manifest a little"
  done || exit
}

# exchange FROM TO: databases …FROM take the place, and what was there becomes …TO; all of them at once or none.
exchange() {
  there=$(echo 'SELECT datname FROM pg_database;' | sql) || return
  has() { printf '%s\n' "$there" | grep -qxF "$1"; }
  script=
  for db in $(cat "$state/databases"); do
    has "$db$1" || continue
    # Nobody may be connected to what is renamed.
    printf "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('%s', '%s') AND pid <> pg_backend_pid();\n" "$db" "$db$1" | sql >/dev/null || return
    if has "$db$2"; then
      ! has "$db" || printf 'DROP DATABASE IF EXISTS "%s" WITH (FORCE);\n' "$db$2" | sql || return
    fi
    ! has "$db" || script="${script}ALTER DATABASE \"$db\" RENAME TO \"$db$2\";
"
    script="${script}ALTER DATABASE \"$db$1\" RENAME TO \"$db\";
"
  done
  [ -z "$script" ] || printf 'BEGIN;\n%sCOMMIT;\n' "$script" | sql || return
  while read -r _ path _; do
    from=$path.ipai-${1#__ipai_} to=$path.ipai-${2#__ipai_}
    [ -e "$from" ] || continue
    if [ -e "$path" ]; then
      rm -rf -- "$to"
      mv -T -- "$path" "$to" || return
    fi
    mv -T -- "$from" "$path" || return
  done <"$state/places"
  sync
}

# Removes databases and folders beside: `new` or `old`.
clear_away() {
  [ ! -s "$state/databases" ] || while read -r db; do
    printf 'DROP DATABASE IF EXISTS "%s" WITH (FORCE);\n' "${db}__ipai_$1" | sql || say "warning: the database ${db}__ipai_$1 is still there"
  done <"$state/databases"
  [ ! -s "$state/places" ] || while read -r _ path _; do rm -rf -- "$path.ipai-$1" "$path.ipai-$1.tree"; done <"$state/places"
}

stop_all() {
  containers | while read -r id service run; do
    [ "$service" != "$IPAI_POSTGRES" ] || continue
    case $run in running | restarting | paused) ;; *) continue ;; esac
    if [ -n "${only-}" ]; then of "$IPAI_STOPS" | second | grep -qxF "$service" || continue; fi
    printf '%s\n' "$id"
  done | stop_those
}

start_all() {
  rm -f -- "$state/stopped"
  # shellcheck disable=SC2046
  compose up -d --no-build --pull never >/dev/null 2>"$state/start.err"
}

# A drill must not do what the real stack does.
tame() {
  [ "$IPAI_STACK" != "$IPAI_SOURCE" ] || return 0
  of "$IPAI_DRILL_SQL" | while read -r _ db words; do
    printf '%s\n' "$words" | sql "$db" >/dev/null || fail 74 "the drill's SQL for $db failed" "correct drill_sql in [backup.service]"
  done || exit
}

# From the first rename on.
finish() {
  only=$(cat "$state/only" 2>/dev/null)
  while :; do
    case $(cat "$state/journal" 2>/dev/null) in
      switch)
        phase "switch"
        stop_all || fail 69 "the services could not be stopped" "the same command again goes on"
        exchange __ipai_new __ipai_old || { sleep 1; exchange __ipai_new __ipai_old; } || fail 74 "what was restored could not be put into place" "the same command again goes on"
        if [ -e "$state/held" ]; then
          tame
          echo good | put "$state/journal"
          continue
        fi
        phase "start services"
        start_all
        phase "health"
        if until_well; then echo good | put "$state/journal"; else
          say "not well with what was restored: $ill"
          printf '%s\n' "$ill" | put "$state/ill"
          echo back | put "$state/journal"
        fi
        ;;
      back)
        phase "going back"
        stop_all || fail 69 "the services could not be stopped" "the same command again goes on"
        exchange __ipai_old __ipai_new || { sleep 1; exchange __ipai_old __ipai_new; } || fail 74 "what was there could not be put back" "the same command again goes on"
        start_all
        clear_away new
        ill=$(cat "$state/ill" 2>/dev/null)
        until_well || say "warning: the services are not well after going back either: $ill"
        forget_it
        fail 71 "with the backup's data these services do not get well: $(cat "$state/ill" 2>/dev/null); what was there before was put back" "their logs tell more: ipai logs"
        ;;
      good)
        clear_away old
        clear_away new
        forget_it
        return 0
        ;;
      *) return 0 ;;
    esac
  done
}

forget_it() { rm -f -- "$state/journal" "$state/only" "$state/held"; sync -- "$state"; }

# Completes what was cut short.
resume() {
  rm -rf -- "$stage" "$state/verify.dump" "$state/piece" "$state/piece.tree" "$state/fetched" "$state/fetched.tree" "$state/export" "$state/files.pid" "$state/files.pid.stop" "$state/files.go"
  if [ -e "$state/journal" ]; then
    say "completing a restore that was cut short"
    postgres_up
    finish
  fi
  start_again
}

# After a restart of the host the database may need a while.
postgres_up() {
  end=$(($(date +%s) + 120))
  until pg=$(running_postgres) && [ -n "$pg" ] && echo 'SELECT 1;' | sql >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$end" ] || fail 69 "the database's service $IPAI_POSTGRES does not answer" "ipai up starts it"
    sleep 1
  done
}

# restore ID|import [--service S] [--held]: held leaves the services stopped.
restore() {
  from=${1-}
  [ -n "$from" ] || fail 64 "no backup was named"
  shift
  only='' held=
  while [ $# -gt 0 ]; do
    case $1 in
      --service=*) only=${1#--service=} ;;
      --held) held=1 ;;
      *) fail 64 "not an option: $1" ;;
    esac
    shift
  done
  rm -f -- "$state/error"
  alone
  if [ -e "$state/journal" ] && [ "$(cat "$state/of")" = "$from $only" ]; then
    resume
    tell_restored
    return
  fi
  resume
  postgres_up
  if [ "$from" = import ]; then cp -- "$state/import/index" "$state/import/manifest.json" "$state/" || fail 66 "nothing was imported"; else
    phase "backup"
    fetch "$from"
  fi
  online=$(head -n 1 "$state/index" | { read -r _ _ _ online; printf '%s' "$online"; })
  [ -n "$(wanted '^(database|volume|directory) ')" ] || fail 66 "the backup holds nothing of ${only:-this stack}"
  keys_fit
  places >"$state/places" || exit
  wanted '^database ' | while read -r _ _ db _; do printf '%s\n' "$db"; done >"$state/databases"
  files=
  rm -rf -- "$state/rows" "$state/kept"
  mkdir -p "$state/rows" "$state/kept"
  trap 'stop_files; clear_away new >/dev/null 2>&1; exit 130' HUP INT TERM
  beside "$from"
  compare "$from" || exit
  trap '' HUP INT TERM
  printf '%s' "$only" >"$state/only"
  printf '%s %s\n' "$from" "$only" >"$state/of"
  if [ -n "$held" ]; then : >"$state/held"; else rm -f -- "$state/held"; fi
  echo switch | put "$state/journal"
  finish
  tell_restored
}

tell_restored() {
  rm -rf -- "$state/import"
  { printf '@restored %s %s\n' "$from" "$(now)"; sed 's/^/@rows /' "$state/counted"; } | put "$state/restored"
  cat "$state/restored"
}

# ── A new host ────────────────────────────────────────────────────────────────────────────────────────────────────

# seed ID|import: the next deployment restores this before it starts anything else.
seed() {
  [ -n "${1-}" ] || fail 64 "no backup was named"
  alone
  printf '%s\n' "$1" | put "$state/seed"
}

# Run by every deployment, before `up`, where a restore is to be made or completed.
before_up() {
  if [ -e "$state/seed" ]; then
    phase "database"
    compose up -d --no-build --pull never "$IPAI_POSTGRES" >/dev/null 2>"$state/start.err" || fail 70 "the database does not start: $(tail -n 1 "$state/start.err")"
    compose up --no-start --no-build --pull never >/dev/null 2>"$state/start.err" || fail 70 "the containers could not be made: $(tail -n 1 "$state/start.err")"
    restore "$(cat "$state/seed")" --held
    rm -f -- "$state/seed"
  else
    alone
    resume
  fi
}

# Before an upgrade: a backup that can be read back.
protect() {
  take --tag=before-upgrade
  taken=$(sed -n 's/.*"id":"\([0-9a-f]*\)".*/\1/p' "$state/good.json")
  verify "$taken" 5%
}

# ── One file ──────────────────────────────────────────────────────────────────────────────────────────────────────

# export ID: a gzipped tar on standard output.
export_one() {
  exec 3>&2
  alone
  fetch "$1"
  out=$state/export
  trap 'rm -rf -- "$out"' EXIT
  rm -rf -- "$out"
  mkdir -p "$out/folders" || fail 73 "cannot write below $state"
  cp -- "$state/manifest.json" "$state/index" "$out/"
  only=
  folder_of "$1" "$inside/databases" "$out/databases" || fail 65 "the dumps cannot be read: $(restic_said)"
  wanted '^(volume|directory) ' | while read -r _ _ name _ _ path; do
    folder_of "$1" "$path" "$out/folders/$(flat "$name")" || fail 65 "the files of $name cannot be read: $(restic_said)"
  done || exit
  # Such a link means something in its container alone, and an export that has one is not taken back.
  find "$out" -type l \( -lname '/*' -o -lname '*..*' \) -print -delete | while read -r link; do say "left out: the link ${link#"$out/"}"; done
  (cd "$out" && find . -type f ! -name SHA256SUMS -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) >"$state/sums" && mv -f -- "$state/sums" "$out/SHA256SUMS" || fail 74 "the sums could not be written"
  tar -C "$out" --numeric-owner --sort=name -czf - .
}

# import: the same on standard input, which ipai has looked through.
import_one() {
  alone
  rm -f -- "$state/error"
  rm -rf -- "$state/import"
  mkdir -p "$state/import" || fail 73 "cannot write below $state"
  tar -C "$state/import" --numeric-owner -xpzf - || fail 65 "the file cannot be unpacked on the host" "is there room on its disk?"
  (cd "$state/import" && sha256sum --quiet --strict -c SHA256SUMS) >"$state/sums.out" 2>&1 || fail 65 "the file was damaged on its way: $(head -n 1 "$state/sums.out")"
  printf '@imported\n'
}

# ── Jobs: they go on when the connection does not ─────────────────────────────────────────────────────────────────

# start VERB ARGUMENT…
start() {
  exec 9>"$state/lock"
  flock -n 9 || fail 75 "a backup or restore is under way on this host" "wait for it, or stop it: ipai backup --cancel"
  rm -f -- "$state/job.rc" "$state/job.log" "$state/job.pid"
  : >"$state/job.log"
  flock -u 9
  # shellcheck disable=SC2016
  setsid sh -c 'd=$1; shift; trap : TERM; echo $$ >"$d/job.pid"; sh "$0" "$@"; echo $? >"$d/job.rc.part"; mv -f "$d/job.rc.part" "$d/job.rc"' "$0" "$state" "$@" \
    </dev/null >"$state/job.log" 2>&1 3>&- 9>&- &
}

# follow LINE: what it said from this line on, and `@ended CODE`; waits a little for news.
follow() {
  tries=0
  while :; do
    rc=$(cat "$state/job.rc" 2>/dev/null)
    lines=$(wc -l <"$state/job.log" 2>/dev/null)
    { [ -z "$rc" ] && [ "${lines:-0}" -lt "$1" ] && [ "$tries" -lt 20 ]; } || break
    tries=$((tries + 1))
    sleep 0.25
  done
  tail -n "+$1" "$state/job.log" 2>/dev/null
  if [ -n "$rc" ]; then
    printf '@ended %s\n' "$rc"
  elif ! kill -0 "$(cat "$state/job.pid" 2>/dev/null || echo 0)" 2>/dev/null; then
    # Its code is there before it ends: one that ended just now is followed once more, for its last lines.
    [ -e "$state/job.rc" ] || printf '@ended 137\n'
  fi
}

case ${1-} in
  take) shift; take "$@" ;;
  protect) protect ;;
  list) list ;;
  verify) shift; verify "$@" ;;
  look) shift; look "$@" ;;
  restore) shift; restore "$@" ;;
  export) shift; export_one "$@" ;;
  import) import_one ;;
  resume) alone; resume ;;
  seed) shift; seed "$@" ;;
  before-up) before_up ;;
  seeded) { [ ! -e "$state/seed" ] && [ ! -e "$state/restored" ]; } || printf '@seeded %s\n' "$(cat "$state/seed" 2>/dev/null)" ;;
  restored)
    cat "$state/restored" 2>/dev/null
    printf '@manifest %s\n' "$(cat "$state/manifest.json" 2>/dev/null)"
    ;;
  whole) shift; whole "$@" ;;
  start) shift; start "$@" ;;
  follow) follow "$2" ;;
  cancel) kill -TERM -- "-$(cat "$state/job.pid")" ;;
  last)
    [ -e "$state/since" ] || date +%s >"$state/since"
    printf '@since %s\n@now %s\n@last %s\n' "$(cat "$state/since")" "$(date +%s)" "$(cat "$state/last.json" 2>/dev/null)"
    ;;
  *) fail 64 "usage: take | list | verify ID | look ID | restore ID | export ID | import | resume" ;;
esac
