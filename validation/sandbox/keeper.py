"""The process that keeps a pooled container alive, and says whether it is as good as new.

It runs under a user of its own, so that code under test can neither end it nor speak for it,
and ends with its standard input: a container does not outlive its owner.
"""

from __future__ import annotations

from collections.abc import Sequence

KEEPER_ID = 65533
TESTER_ID = 65534

# Orders come line by line. "limit N" lets everything end after N seconds (0: never), and "check"
# is answered by "clean" or "dirty". Clean is: no process of the tester, nothing in the folders but
# where something is mounted (a subject whose place is below /tmp, say), no System V or POSIX object
# of inter-process communication.
_KEEPER = r"""
tester=$1; shift
list() { for folder; do echo "$folder:"; ls -A "$folder" || return 1; done; }
before=$(list "$@")
is_clean() {
  for status in /proc/[0-9]*/status; do
    while read -r key value rest; do
      [ "$key" = Uid: ] && [ "$value" = "$tester" ] && return 1
    done < "$status"
  done 2>/dev/null
  found=$(list "$@") && [ "$found" = "$before" ] || return 1
  for kind in shm sem msg; do
    lines=0
    while read -r line; do lines=$((lines + 1)); done < /proc/sysvipc/$kind || return 1
    [ "$lines" -le 1 ] || return 1
  done
}
watch=
while read -r order argument; do
  case $order in
    limit)
      [ -n "$watch" ] && kill "$watch" 2>/dev/null
      watch=
      if [ "$argument" -gt 0 ]; then
        (
          trap 'kill "$sleeper"; exit' TERM
          sleep "$argument" & sleeper=$!
          wait "$sleeper" && kill -9 $$
        ) </dev/null >/dev/null 2>&1 &
        watch=$!
      fi ;;
    check) if is_clean "$@" 2>/dev/null; then echo clean; else echo dirty; fi ;;
  esac
done
"""
# `kill -1` reaches everything of this user but the shell itself, in one step of the kernel.
KILL = ("/bin/sh", "-c", "kill -9 -1 2>/dev/null; true")
_WIPE = r"""
kill -9 -1 2>/dev/null
for folder; do
  [ -O "$folder" ] && chmod 755 "$folder"
  chmod -R u+rwX "$folder"/* "$folder"/.[!.]* "$folder"/..?*
  rm -rf "$folder"/* "$folder"/.[!.]* "$folder"/..?*
done 2>/dev/null
true
"""
# The names of all files, each ended by NUL, $1 bytes at most.
LIST = r"""
kill -9 -1 2>/dev/null
chmod -R u+rwX . 2>/dev/null
find . -type f -print0 | head -c "$1"
"""
# For each file its size, a line feed and its bytes, until there are $1 in all; -1 for one that
# is no newer than the subject's own.
READ = r"""
left=$1; shift
for file; do
  source=$APR_SOURCE/$file
  if [ -e "$source" ] && [ ! "$file" -nt "$source" ]; then echo -1; continue; fi
  size=$(wc -c < "$file") || exit 0
  left=$((left - size))
  [ "$left" -ge 0 ] || exit 0
  echo "$size"; cat "$file"
done
"""


def keeper(folders: Sequence[str]) -> list[str]:
    """The command of the container; `folders` are those that must be empty between uses."""
    return ["/bin/sh", "-c", _KEEPER, "sh", str(TESTER_ID), *folders]


def wipe(folders: Sequence[str]) -> list[str]:
    """The command, for the tester, that ends all its processes and empties its folders."""
    return ["/bin/sh", "-c", _WIPE, "sh", *folders]
