#!/bin/bash
# One sitting on a machine with a GPU: sitting.sh FOLDER UNTIL SECONDS OUT
#
# FOLDER holds what `apr train select` and `apr train tokenizer` wrote in selected/, this package in
# code/ and, where tree-sitter is missing, its wheels in wheels/. UNTIL is the progress to reach,
# SECONDS are for everything. What has to outlast the sitting lies in $WORK; a later sitting on the
# same machine goes on from there. With UNTIL 1.0 the model is evaluated too. TRAIN_OPTIONS are
# further options of `run`, to try the script out with something small.
set -e
folder=$(cd "$1" && pwd) until=$2 limit=$3 out=$4
work=${WORK:-/tmp/apr-training} workers=${WORKERS:-12}
export PYTHONUNBUFFERED=1 PYTHONPATH="$work/code:$work/site"
mkdir -p "$work" "$out"
train() { python3 -m apr.training "$@"; }

if [ ! -e "$work/data/code-00.xz" ]; then
  cp -r "$folder/selected" "$folder/code" "$work/"
  if ls "$folder"/wheels/*.whl > /dev/null 2>&1; then
    python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$work/site" "$folder"/wheels/*.whl
  fi
  train pack "$work/selected" "$work/data" --part code --part mined --workers "$workers"
  echo "packed after $SECONDS s"
  # Bugs are injected while the model learns from code.
  setsid nohup python3 -m apr.training pack "$work/selected" "$work/data" --part held-out \
    --part injected --rounds 2 --workers $((workers * 2 / 3)) < /dev/null > "$work/inject.log" 2>&1 &
fi

if [ ! -e "$work/flags" ]; then  # the fastest way that works here; compiled code is kept
  for flags in "--rows 64 --compile" "--rows 32 --compile" "--rows 32 --no-compile"; do
    rm -rf "$work/try"
    if train run "$work/data" "$work/try" --steps 3 --pretrain 1 $flags $TRAIN_OPTIONS; then echo "$flags" > "$work/flags"; break; fi
  done
  rm -rf "$work/try"
  echo "tried after $SECONDS s: $(cat "$work/flags")"
fi

case $until in 1 | 1.0) reserve=${RESERVE:-110} ;; *) reserve=${RESERVE:-25} ;; esac
train run "$work/data" "$work/run" --until "$until" --seconds $((limit - SECONDS - reserve)) \
  --workers $((workers / 2)) $(cat "$work/flags") $TRAIN_OPTIONS
cp "$work/run/log.jsonl" "$out/"
tail -n 2 "$work/run/log.jsonl"
cat "$work/inject.log"
train export "$work/run" "$out" --precision "${PRECISION:-int8}"
echo "exported after $SECONDS s"
if [ "$reserve" -gt 60 ]; then
  for origin in mined injected; do
    [ $((limit - SECONDS)) -gt 45 ] && timeout $((limit - SECONDS - 10)) python3 -m apr.training evaluate \
      "$work/run" "$work/data" "$out/$origin.json" --origin $origin --count 384 --beams 10 || true
  done
fi
echo "done after $SECONDS s"
