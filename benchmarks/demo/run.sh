#!/bin/sh
# Repair the three bugs of the bundled project, one after the other: `run.sh PATH-TO-APR`.
# The project itself stays as it is; runs are kept in a throw-away folder.
set -eu
apr=$1
here=$(dirname "$0")
APR_DATA_DIR=$(mktemp -d)
export APR_DATA_DIR
trap 'rm -rf "$APR_DATA_DIR"' EXIT
for bug in tier-boundary no-orders returns; do
  printf '\n== %s: %s\n\n' "$bug" "$(sed -n '1s/^# //p' "$here/bugs/$bug.bug.toml")"
  "$apr" fix "$here/bugs/$bug.bug.toml" --format text
done
printf '\nThree bugs, three plausible patches. To repair your own project: %s fix PATH\n' "$apr"
