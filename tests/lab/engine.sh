#!/usr/bin/env bash
# engine.sh start|stop: a Docker Engine for machines without a service to run one, as in CI. Starts nothing where one
# answers, and stops only the one that it started.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
pid_file=$cache/dockerd.pid
log=$cache/dockerd.log

# Debian and Ubuntu call the package docker.io; debootstrap makes the first image.
install_missing() {
  local missing=()
  command -v dockerd > /dev/null || missing+=(docker.io)
  command -v debootstrap > /dev/null || missing+=(debootstrap)
  [ "${#missing[@]}" != 0 ] || return 0
  [ "$(id -u)" = 0 ] || die "not installed: ${missing[*]}" "run: sudo apt-get install ${missing[*]}"
  say "installing ${missing[*]}"
  apt-get update -qq > "$log" 2>&1 || die 'apt-get update failed' "see $log"
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" iptables >> "$log" 2>&1 ||
    die "apt-get install ${missing[*]} failed" "see $log"
}

start() {
  mkdir -p "$cache"
  install_missing
  if docker info > /dev/null 2>&1; then
    say 'a Docker Engine answers already'
    return
  fi
  [ "$(id -u)" = 0 ] || die 'no Docker Engine answers, and only root can start one'
  setsid dockerd > "$log" 2>&1 < /dev/null &
  echo $! > "$pid_file"
  for _ in $(seq 60); do
    if docker info > /dev/null 2>&1; then
      say "dockerd runs as $(< "$pid_file")"
      return
    fi
    kill -0 "$(< "$pid_file")" 2> /dev/null || die 'dockerd ended' "$(tail -n 5 "$log")"
    sleep 1
  done
  die 'dockerd does not answer after a minute' "see $log"
}

stop() {
  local pid
  [ -e "$pid_file" ] || { say 'no engine was started here'; return; }
  pid=$(< "$pid_file")
  # The number may be another program's by now.
  if [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = dockerd ]; then
    kill "$pid"
    for _ in $(seq 30); do kill -0 "$pid" 2> /dev/null || break; sleep 1; done
  fi
  rm -f "$pid_file"
}

case ${1-} in
  start) start ;;
  stop) stop ;;
  *) die 'usage: engine.sh start|stop' ;;
esac
