umask 077
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
cd "${IPAI_ROOT-}/" || exit 91
d=
for t in /run /dev/shm "${TMPDIR:-/tmp}"; do
  [ -w "$t" ] && d=$(mktemp -d "$t/ipai.XXXXXXXX" 2>/dev/null) && break
done
[ -n "$d" ] || { echo 'ipai: no folder for temporary files is writable' >&2; exit 73; }
p=
trap 'rm -rf "$d"; [ -z "$p" ] || kill -TERM "$p" 2>/dev/null' EXIT
trap 'exit 143' HUP INT PIPE TERM
mkfifo "$d/in" || exit 73
exec 4<&0
(exec @COMMAND@) <"$d/in" 4<&- &
p=$!
(
  n=
  {
    while IFS= read -r n && [ "$n" != 0 ]; do
      dd bs=65536 count="$n" iflag=fullblock,count_bytes status=none || { cat >/dev/null; n=; break; }
    done
  } >"$d/in"
  [ "$n" != 0 ] || read -r n
  kill -TERM "$p"
) <&4 >/dev/null 2>&1 &
w=$!
wait "$p"
c=$?
p=
kill "$w" 2>/dev/null
exit "$c"
