umask 077
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
cd / || exit 71
ipai_d=
for ipai_t in "${IPAI_ROOT-}/run" /dev/shm "${TMPDIR:-/tmp}"; do
  [ -w "$ipai_t" ] && ipai_d=$(mktemp -d "$ipai_t/ipai.XXXXXXXX" 2>/dev/null) && break
done
[ -n "$ipai_d" ] || { echo 'ipai: no folder for temporary files is writable' >&2; exit 73; }
trap 'rm -rf "$ipai_d"' EXIT
trap 'exit 70' HUP INT PIPE TERM
ipai_answer() {
  echo >"$ipai_d/full" || { echo 'ipai: no space left for temporary files' >&2; exit 74; }
  if [ -s "$ipai_o" ]; then
    ipai_t=$(wc -c <"$ipai_o")
    if [ "$ipai_t" -gt @MAX_OUTPUT@ ]; then
      printf 'BIG %s %s\n' "$1" "$ipai_t"
    elif [ "$ipai_t" -gt 2048 ]; then
      printf 'OUT %s gzip ' "$1"
      gzip -1c <"$ipai_o" | base64 -w0
      echo
    else
      printf 'OUT %s plain ' "$1"
      base64 -w0 <"$ipai_o"
      echo
    fi
  fi
  if [ -s "$ipai_e" ]; then
    printf 'ERR %s ' "$1"
    tail -c @MAX_ERROR@ "$ipai_e" | base64 -w0
    echo
  fi
  printf 'END %s %s\n' "$1" "$2"
  : >"$ipai_o"
  : >"$ipai_e"
}
ipai_i=0
ipai_run() {
  ipai_i=$((ipai_i + 1))
  ipai_o=$ipai_d/o$ipai_i
  ipai_e=$ipai_d/e$ipai_i
  if [ "$2" = 0 ]; then
    (set --; set -u; eval "$ipai_s") </dev/null >"$ipai_o" 2>"$ipai_e"
    ipai_answer "$1" $?
  else
    dd bs=65536 count="$2" iflag=fullblock,count_bytes status=none | {
      (set --; set -u; eval "$ipai_s") >"$ipai_o" 2>"$ipai_e"
      ipai_t=$?
      cat >/dev/null
      exit "$ipai_t"
    }
    ipai_answer "$1" $?
  fi
}
@FIRST@
while IFS=' ' read -r ipai_w ipai_n ipai_a ipai_b; do
  [ "$ipai_w" = RUN ] || exit 64
  ipai_s=$(dd bs=65536 count="$ipai_a" iflag=fullblock,count_bytes status=none)
  case $ipai_s in *"#$ipai_n") ;; *) exit 65 ;; esac
  ipai_run "$ipai_n" "$ipai_b"
done
