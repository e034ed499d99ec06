#!/usr/bin/env bash
# Checks tools/bench: the form of its output, medians, interleaving, what --write writes, and that a missing or
# failing peer is named.
# usage: benchmarks/test.sh [DIR], where DIR has built benchmark programs, each of which is then tried, too.
set -euo pipefail
command -v python3 >/dev/null || { echo "skipped: python3 is missing"; exit 77; }

root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

die() {
  echo "FAILED: $1" >&2
  cat "$work/out" >&2
  exit 1
}

expect() { grep -qxF -- "$1" "$work/out" || die "no line: $1"; }

# fake NAME VARIANT VALUES...: a program that answers with these values, round by round, and then ends.
fake() {
  local name=$1 variant=$2
  shift 2
  cat >"$work/bench_$name" <<PROGRAM
#!/bin/sh
case \$1 in
  --list) echo "invoke_wait $variant" ;;
  --about) echo "fake $name" ;;
  *) for value in $*; do
       read -r request || exit 0
       echo $name >>"$work/order"
       echo "- \$value ns 0.5 128"
       echo end
     done ;;
esac
PROGRAM
  chmod +x "$work/bench_$name"
}

bench() { "$root/tools/bench" --dir "$work" --workers 1 --rounds 3 "$@" >"$work/out" 2>&1; }

fake ours - 10 90 20
fake onetbb task_group 40 1 400
bench invoke_wait --markdown "$work/table.md" || die "exit code of a plain run"
expect "bench invoke_wait workers=1 ours=20.0ns onetbb-task_group=40.0ns ratio=0.50 allocs=0.50 bytes=128"
grep -q "^bench invoke_wait skipped peer=go: ." "$work/out" || die "the missing peer is not named"
grep -q '^| `invoke_wait` | .* | 1 | 20.0 ns | 0.50, 128 | task_group 40.0 ns (0.50) |$' "$work/table.md" ||
  die "no row in the table"
[[ $(tr '\n' ' ' <"$work/order") == "ours onetbb ours onetbb ours onetbb " ]] || die "not interleaved"

rm "$work/bench_ours"
bench invoke_wait || die "exit code without ours"
expect "bench invoke_wait skipped peer=ours: bench_ours is not built"
expect "bench invoke_wait workers=1 ours=- onetbb-task_group=40.0ns ratio=- allocs=- bytes=-"

fake ours - 10
bench invoke_wait && die "a program that ends early is not an error"
expect "bench invoke_wait failed peer=ours: ended early"

bench no_such_id && die "an unknown id is not an error"
grep -q "unknown id no_such_id" "$work/out" || die "the unknown id is not named"

# What --write leaves, in a root of its own and with a callgrind that always counts 1000 for 10 operations.
mkdir "$work/docs"
printf 'before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n' >"$work/README.md"
cat >"$work/valgrind" <<'PROGRAM'
#!/bin/sh
for word; do case $word in --callgrind-out-file=*) echo "totals: 1000" >"${word#*=}" ;; esac; done
echo "operations 10"
PROGRAM
chmod +x "$work/valgrind"
fake ours - 10 90 20
write() { ROOT=$work PATH=$work:$PATH bench "$@"; }
write --write invoke_wait && die "--write takes ids"
write --write || die "exit code of --write"
expect "count invoke_wait ours=100 instructions spread=0.00%"
grep -q '^| `invoke_wait` | .* | 20.0 ns | 0.50, 128 | 100 | task_group 40.0 ns (0.50) |$' "$work/docs/bench.md" ||
  die "no row in docs/bench.md"
grep -q "^<svg .*" "$work/docs/bench.svg" || die "no picture"
[[ $(sed -n '1p;$p' "$work/README.md") == $'before\nafter' ]] || die "README.md is changed outside of its marks"
grep -q "20.0 ns | 40.0 ns (0.50) |$" "$work/README.md" || die "no row in README.md"
cp -r "$work/docs" "$work/first"
write --again || die "exit code of --again"
diff -r "$work/first" "$work/docs" >"$work/out" || die "--again writes something else"

if [[ $# -gt 0 ]]; then
  "$root/tools/bench" invoke_wait invoke_all --dir "$1" --rounds 1 --min-ms 1 >"$work/out" 2>&1 || die "a smoke run"
  number='(-|[0-9.]+)'
  value="(-|$number(ns|us))"
  line="bench [a-z_0-9]+ workers=[0-9]+ ours=$value [a-z_-]+=$value ratio=$number allocs=$number bytes=$number"
  other='bench (machine: .*|[a-z_]+ skipped peer=[a-z]+: .+)'
  if grep "^bench" "$work/out" | grep -vqxE "$line|$other"; then die "a line has another form"; fi
  for program in "ours -" "onetbb task_group" "rust tokio"; do
    read -r name variant <<<"$program"
    [[ -x $1/bench_$name ]] || continue
    echo sample | "$1/bench_$name" invoke_wait "$variant" 1 1 3 >"$work/out"
    expect "operations 3"  # and not as many as fill a time
  done
fi
echo "ok"
