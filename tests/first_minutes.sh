#!/usr/bin/env bash
# How long a newcomer waits, by the commands of README: from a fresh clone to the first table, the
# first model of one's own, the first folder of one's own. Prints minutes, one line each.
#
#   tests/first_minutes.sh                        # makes its own environment, as `make evaluate` does
#   ENVIRONMENT=$PWD/.venv tests/first_minutes.sh # takes one that is there: without the installation
#
# Own model: a copy of the bundled one, as `save_pretrained` would leave it. Own folder: 160 drawn
# pictures in label folders. ARGS="--limit 40" makes the first table a trial. Data are cached nowhere before: HF_HOME is empty.
set -euo pipefail
source_repository=$(cd "$(dirname "$0")/.." && git rev-parse --show-toplevel)
where=$(mktemp -d)
trap 'rm -rf "$where"' EXIT
export HF_HOME=$where/cache HF_HUB_OFFLINE=1 HF_EVALUATE_OFFLINE=1

timed() { # WHAT COMMAND...
  local what=$1 began=$EPOCHREALTIME
  shift
  if ! "$@" >"$where/said" 2>&1; then
    tail -n 20 "$where/said"
    echo "$what: failed"
    exit 1
  fi
  awk -v a="$began" -v b="$EPOCHREALTIME" -v what="$what" \
    'BEGIN { printf "%-45s %5.1f minutes\n", what, (b - a) / 60 }'
}

timed "clone" git clone --quiet "$source_repository" "$where/clone"
cd "$where/clone"
if [ -n "${ENVIRONMENT:-}" ]; then
  ln -s "$ENVIRONMENT" .venv
  export PYTHONPATH=$PWD:$PWD/metrics
else
  timed "environment" make .venv/installed
fi
timed "first table: make evaluate ${ARGS:-}" make -o .venv/installed evaluate "ARGS=${ARGS:-}"
cp -r aobench/mini/model own-model
timed "own model: evaluate own-model --data mini" \
  .venv/bin/python -m aobench evaluate ./own-model --data mini --limit 200
.venv/bin/python - <<'END'
import sys
sys.path.insert(0, "examples")
from pathlib import Path
from drawn_pictures import draw_folder
draw_folder(Path("my-pictures"), 10)
END
timed "own folder: evaluate mini --data my-pictures" \
  .venv/bin/python -m aobench evaluate mini --data my-pictures --out own-results
grep -q "novel (ood)" "$where/said"
