#!/bin/sh
# Has a server repair the project in the current folder; needs curl, tar and sed, nothing else.
#
#   APR_URL=https://apr.example.org APR_TOKEN=apr_… sh repair-by-api.sh [report.xml]
#
# Leaves the results in $APR_RESULTS (apr-results). Exit codes: 0 a plausible patch was found,
# 1 none was found, 2 the server refused the request, 3 it cannot be reached or cannot run it.
set -eu
api=${APR_URL:?the address of the server}/api/v1
results=${APR_RESULTS:-apr-results}
report=${1:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$results"

# The token goes to curl in a file, so that no list of processes shows it.
printf 'header = "Authorization: Bearer %s"\n' "${APR_TOKEN:-}" > "$work/curlrc"
chmod 600 "$work/curlrc"

ask() { # METHOD PATH [curl's options]: the body in $work/answer, or the end
    method=$1 path=$2
    shift 2
    code=$(curl -sS -K "$work/curlrc" -X "$method" -o "$work/answer" -w '%{http_code}' \
        --max-time 600 "$@" "$api$path") || exit 3
    case $code in
        2*) return ;;
    esac
    sed -n 's/.*"detail":"\([^"]*\)".*/apr: \1/p' "$work/answer" >&2
    case $code in
        5*) exit 3 ;;
        *) exit 2 ;;
    esac
}

field() { # NAME: the value of that name at the beginning of the answer's JSON
    sed -n "s/^{[^{]*\"$1\":\"\([^\"]*\)\".*/\1/p" "$work/answer"
}

quoted() { # standard input as the inside of a JSON string
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/	/\\t/g' -e 's/$/\\n/' | tr -d '\r\n'
}

tar --exclude=./.git --exclude="./$results" -czf "$work/project.tgz" .
ask POST /sources/archive --data-binary "@$work/project.tgz"
source=$(field source)

{
    printf '{"source":"%s","budget":{"candidates":%s,"seconds":%s}' \
        "$source" "${APR_CANDIDATES:-2000}" "${APR_SECONDS:-600}"
    [ -z "${APR_TEST:-}" ] || printf ',"test":"%s"' "$(printf '%s' "$APR_TEST" | quoted)"
    [ -z "$report" ] || printf ',"junit_report":"%s"' "$(quoted < "$report")"
    printf '}'
} > "$work/run.json"
# A job that is tried again with the same key gets the run that it began the first time.
ask POST /runs -H 'Content-Type: application/json' --data-binary "@$work/run.json" \
    -H "Idempotency-Key: ${APR_KEY:-$source}"
run=$(field run)
echo "run $run" >&2

# The stream ends with the run; a broken one goes on after the last event that came.
last='' broken=0
while ! grep -q '^event: end' "$work/events" 2> /dev/null; do
    curl -sS -N -K "$work/curlrc" -H "Last-Event-ID: $last" "$api/runs/$run/events" \
        >> "$work/events" || broken=$((broken + 1))
    [ "$broken" -lt 30 ] || exit 3
    last=$(sed -n 's/^id: //p' "$work/events" | tail -n 1)
    grep -q '^event: end' "$work/events" || sleep 1
done

ask GET "/runs/$run"
status=$(field status)
echo "run $run: $status" >&2
for name in run.sarif junit.xml summary.md report.html predictions.jsonl run.json; do
    ask GET "/runs/$run/artifacts/$name"
    cp "$work/answer" "$results/$name"
done
case $status in
    succeeded) ask GET "/runs/$run/artifacts/patch.diff" && cp "$work/answer" "$results/patch.diff" ;;
    failed) exit 3 ;;
    *) exit 1 ;;
esac
