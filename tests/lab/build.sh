#!/usr/bin/env bash
# build.sh: everything that `ipai --sandbox=docker` needs, from nothing but Debian, PyPI and npm packages.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
need_docker
"$lab/host-image/build.sh"
"$lab/images/build.sh" "$@"
