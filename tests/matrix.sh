#!/usr/bin/env bash
# Installs the package, without constraints, in an environment of its own for each Python, and with
# the lowest versions that setup.py allows; then runs what a user runs first (tests/first_verbs.py).
#
#   make matrix                            # 3.11, 3.12 and 3.13 newest, 3.11 lowest
#   tests/matrix.sh 3.13 3.11-lowest       # some of them
#   TORCH=no tests/matrix.sh 3.13          # without torch: the verbs that need none
#
# A Python is what `uv` or `pythonX.Y` gives; where neither has it, that line says so and fails.
set -uo pipefail
cd "$(dirname "$0")/.."
where=${MATRIX:-build/matrix}
mkdir -p "$where"
[ $# -gt 0 ] || set -- 3.11 3.12 3.13 3.11-lowest

make_environment() { # VERSION FOLDER
  rm -rf "$2"
  if command -v uv >/dev/null; then
    uv venv --quiet --seed --python "$1" "$2"
  else
    "python$1" -m venv "$2"
  fi
}

requirements() { # KIND; one a line
  python3 - "$1" "${TORCH:-yes}" <<'END'
import ast, pathlib, sys
kind, torch = sys.argv[1:]
tree = ast.parse(pathlib.Path("setup.py").read_text())
(call,) = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "setup"]
(needs,) = [ast.literal_eval(k.value) for k in call.keywords if k.arg == "install_requires"]
for need in needs:
    name = need.split(">=")[0]
    if torch == "no" and name in ("torch", "accelerate"):
        continue
    print(need.replace(">=", "==") if kind == "lowest" else need)
END
}

failed=0
for one in "$@"; do
  version=${one%-lowest}
  kind=newest
  [ "$one" = "$version" ] || kind=lowest
  folder=$where/$one
  log=$where/$one.log
  rm -rf build/lib build/bdist.* # what an earlier build left would be installed, too
  requirements $kind >"$where/$one.txt"
  if make_environment "$version" "$folder" >"$log" 2>&1 &&
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "$where/$one.txt" >>"$log" 2>&1 &&
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps . >>"$log" 2>&1 &&
    "$folder/bin/python" tests/first_verbs.py "${TORCH:-yes}" >>"$log" 2>&1; then
    echo "$one: $(tail -n 1 "$log")"
  else
    echo "$one: FAILED, see $log"
    tail -n 5 "$log"
    failed=1
  fi
done
exit $failed
