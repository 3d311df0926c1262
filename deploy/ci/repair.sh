#!/bin/sh
# Runs `apr ci` with what a CI system gives in variables, and hands its results over.
# Values come from variables and never become part of a command line that is parsed again.
set -eu
results=${APR_RESULTS:-apr-results}
set -- "${APR_PATH:-.}" --out "$results" --gate "${APR_GATE:-unrepaired}"
[ -z "${APR_PYTHON:-}" ] || set -- "$@" --python "$APR_PYTHON"
[ -z "${APR_TEST:-}" ] || set -- "$@" --test "$APR_TEST"
[ -z "${APR_REPORT:-}" ] || set -- "$@" --report "$APR_REPORT"
[ -z "${APR_SECONDS:-}" ] || set -- "$@" --seconds "$APR_SECONDS"
[ -z "${APR_CANDIDATES:-}" ] || set -- "$@" --candidates "$APR_CANDIDATES"
[ -z "${APR_MODEL:-}" ] || set -- "$@" --model "$APR_MODEL"
[ -z "${APR_BASE_URL:-}" ] || set -- "$@" --base-url "$APR_BASE_URL"
[ -z "${APR_MAX_COST:-}" ] || set -- "$@" --max-cost "$APR_MAX_COST"

code=0
"${APR_COMMAND:-apr}" ci "$@" || code=$?

found=false
[ ! -f "$results/patch.diff" ] || found=true
if [ -n "${GITHUB_OUTPUT:-}" ]; then
    {
        echo "exit-code=$code"
        echo "found=$found"
        echo "results=$results"
    } >> "$GITHUB_OUTPUT"
fi
if [ -n "${GITHUB_STEP_SUMMARY:-}" ] && [ -f "$results/summary.md" ]; then
    cat "$results/summary.md" >> "$GITHUB_STEP_SUMMARY"
fi
exit "$code"
