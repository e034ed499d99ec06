#!/usr/bin/env bash
# test.sh PROGRAM: what a user of checksum_tree sees: digests, sentences, exit codes, signals.
set -uo pipefail
export LC_ALL=C
here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d)
running=
trap '[ -z "$running" ] || kill -KILL "$running" 2>/dev/null; chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
chmod 755 "$work"  # also for the unprivileged user that may run a part
program=$work/checksum_tree
cp "$1" "$program"
cd "$work" || exit 1
failures=0

fail() {
  echo "FAILED: $*" >&2
  failures=$((failures + 1))
}
# run CODE ARGUMENT...: runs the program, keeps what it prints in out and err, and expects its exit code.
run() {
  local expected=$1 code=0
  shift
  "$program" "$@" >out 2>err || code=$?
  [ "$code" -eq "$expected" ] || fail "checksum_tree $*: exit code $code instead of $expected: $(head -c 500 err)"
}
# says PATTERN: expects a line of err that matches.
says() { grep -Eq -- "$1" err || fail "no line matches '$1' in: $(head -c 500 err)"; }
# refuses SENTENCE ARGUMENT...: expects exit code 2, the sentence and nothing else.
refuses() {
  local sentence=$1
  shift
  run 2 "$@"
  [ "$(cat err)" = "checksum_tree: $sentence" ] || fail "checksum_tree $*: said '$(cat err)' instead of '$sentence'"
  [ ! -s out ] || fail "checksum_tree $*: wrote to standard output"
}
reference() { find "$1" -type f -print0 | sort -z | xargs -0 -r sha256sum; }
same() { cmp -s "$1" "$2" || fail "$3: $(diff "$1" "$2" | head -n 5)"; }
# start ARGUMENT...: runs the program in the background, its messages go to err.
start() {
  : >err
  "$program" "$@" >out 2>err &
  running=$!
}
await_heartbeat() {
  until grep -q 'MB/s' err; do
    kill -0 "$running" 2>/dev/null || { fail "ended before the first heartbeat: $(cat err)" && return; }
    sleep 0.02
  done
}
# finish CODE: expects the exit code of what was started.
finish() {
  local code=0
  wait "$running" || code=$?
  running=
  [ "$code" -eq "$1" ] || fail "exit code $code instead of $1: $(head -c 500 err)"
}
# adds_up FILES SUMS: what was digested, what failed and what was left are all files there were.
adds_up() {
  local left errors
  left=$(grep -Eo '[0-9]+ not digested' err | grep -Eo '[0-9]+' || echo 0)
  errors=$(grep -c ': No such file or directory$' err)
  [ $(($(wc -l <"$2") + left + errors)) -eq "$1" ] || fail "$(wc -l <"$2") + $left + $errors are not $1 files: $(cat err)"
}

check_digests() {
  mkdir -p tree/sub/deeper tree/empty 'tree/with space'
  printf 'plain' >tree/plain
  : >tree/nothing
  head -c 3000000 /dev/urandom >tree/sub/large
  head -c 131072 /dev/urandom >tree/sub/deeper/one_buffer
  local i name
  for name in 'with space/a b' $'new\nline' 'back\slash' $'carriage\rreturn' $'all\\of\r\n' '-dash' $'latin-\xe9' 'sub.c' 'Sub' '*'; do
    printf '%s' "$name" >"tree/$name"
  done
  for ((i = 0; i < 300; i++)); do echo "$i" >"tree/sub/deeper/$i"; done
  ln -s plain tree/link
  ln -s .. tree/sub/loop
  mkfifo tree/fifo
  reference tree >expected
  for jobs in 1 2 8; do
    run 0 tree -j "$jobs"
    same expected out "-j $jobs"
  done
  says 'checksum_tree: [0-9]+ files, 3\.1 MB in [0-9.]+ s, [0-9.]+ MB/s'
  sha256sum --quiet -c out || fail 'sha256sum -c does not accept the digests'
  for dir in tree/ ./tree "$work/tree"; do
    run 0 "$dir"
    same <(reference "$dir") out "path $dir"
  done
  run 0 -j8 --rate=100000/s --timeout=1h -o - -- tree
  same expected out 'all options'
  run 0 tree/empty
  [ ! -s out ] || fail 'an empty directory has digests'
  ln -s tree linked
  run 0 linked
  [ "$(wc -l <out)" -eq "$(wc -l <expected)" ] || fail 'a DIR that is a symbolic link is not followed'
  mkdir ./-o
  echo x >./-o/x
  run 0 -- -o
  sha256sum --quiet -c out || fail 'a DIR with a leading dash'
}

check_usage() {
  local limit
  run 0 --help
  for option in DIR -j --rate --timeout -o --help; do
    grep -q -e "^  $option " out || fail "--help does not tell about $option"
  done
  limit='must be a whole number from 1 to 1000'
  for value in 0 x '' -1 1001 2x 99999999999999999999; do refuses "-j '$value': $limit" -j "$value" tree; done
  limit='must be files per second from 0.01/s to 1000000/s, such as 100/s'
  for value in 0/s x 5 -1/s nan/s inf/s 5/m /s; do refuses "--rate '$value': $limit" --rate "$value" tree; done
  limit='must be a time from 1ms to 8760h in ms, s, m or h, such as 30s'
  for value in 0s x 30 -1s nans 5d 9000h s; do refuses "--timeout '$value': $limit" --timeout "$value" tree; done
  refuses '-o: needs a value; see --help' tree -o
  refuses '--rate: needs a value; see --help' tree --rate
  refuses '-z: no such option; see --help' -z
  refuses '--frequency=2: no such option; see --help' --frequency=2
  refuses "DIR 'other': one directory at a time" tree other
  refuses "DIR '': must not be empty" ''
  refuses "-o '': must not be empty" tree -o ''
  refuses 'nowhere: No such file or directory' nowhere
  refuses 'tree/plain: Not a directory' tree/plain
}

check_output() {
  mkdir place
  echo old >place/sums
  chmod 640 place/sums
  local before
  before=$(stat -c %i place/sums)
  run 0 tree -o place/sums
  same expected place/sums '-o FILE'
  [ ! -s out ] || fail '-o FILE: wrote to standard output, too'
  [ "$(stat -c %i place/sums)" != "$before" ] || fail '-o FILE was overwritten, not replaced'
  [ "$(stat -c %a place/sums)" = 640 ] || fail '-o FILE lost its permissions'
  ln -s sums place/link
  run 0 tree/empty -o place/link
  [ -L place/link ] && [ ! -s place/sums ] || fail '-o FILE replaced a symbolic link'
  [ "$(ls -A place)" = $'link\nsums' ] || fail "-o FILE left something behind: $(ls -A place)"
  mkfifo pipe
  cat pipe >piped &
  run 0 tree -o pipe
  wait $!
  same expected piped '-o FIFO'
  refuses 'nowhere/sums: No such file or directory' tree -o nowhere/sums
  refuses 'place: Is a directory' tree -o place
  cp -r tree own
  run 0 own -o own/sums
  run 0 own -o own/sums  # the second time it is there, and old
  sha256sum --quiet -c own/sums || fail 'the output digested itself'
  rm own/sums
  "$program" own >own/sums 2>err
  sha256sum --quiet -c own/sums || fail 'standard output digested itself'
}

check_broken_output() {
  if [ -c /dev/full ]; then
    run 2 tree -o /dev/full
    says '^checksum_tree: /dev/full: No space left on device$'
  fi
  "$program" tree >&- 2>err
  [ $? -eq 2 ] || fail 'a closed standard output: the exit code is not 2'
  says '^checksum_tree: standard output: Bad file descriptor$'
  rm -f pipe
  mkfifo pipe
  exec 3<>pipe 4>pipe 3<&-  # a pipe nobody reads any more
  "$program" tree >&4 2>err
  [ $? -eq 2 ] || fail 'a broken pipe: the exit code is not 2'
  exec 4>&-
  says '^checksum_tree: standard output: Broken pipe$'
  "$program" tree >out 2>&- || fail 'a closed standard error'
  same expected out 'a closed standard error'
}

# as_nobody ARGUMENT...: runs the program as somebody whom permissions stop.
as_nobody() {
  local user=()
  [ "$(id -u)" -ne 0 ] || user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  "${user[@]}" "$program" "$@" >out 2>err
}

check_permissions() {
  if [ "$(id -u)" -eq 0 ] && ! setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null; then
    echo 'permissions: not tested, root cannot become somebody else here'
    return
  fi
  mkdir -p guarded/closed
  echo 1 >guarded/secret
  echo 2 >guarded/open
  chmod 000 guarded/secret guarded/closed
  as_nobody guarded
  [ $? -eq 1 ] || fail 'a file without permission: the exit code is not 1'
  says '^checksum_tree: guarded/secret: Permission denied$'
  says '^checksum_tree: guarded/closed: Permission denied$'
  says '^checksum_tree: 2 errors$'
  same <(sha256sum guarded/open) out 'beside a file without permission'
  as_nobody guarded/closed
  [ $? -eq 2 ] || fail 'a DIR without permission: the exit code is not 2'
  says '^checksum_tree: guarded/closed: Permission denied$'
  mkdir kept
  chmod 555 kept
  as_nobody tree -o kept/sums
  [ $? -eq 2 ] || fail 'an output without permission: the exit code is not 2'
  says '^checksum_tree: kept/sums: Permission denied$'
}

check_retries() {
  if ! "${CC:-gcc}" -shared -fPIC -o faults.so "$here/faults.c" -ldl 2>err; then
    echo "retries: not tested, no C compiler: $(head -n 1 err)"
    return
  fi
  mkdir flaky flaky/fails-1-24
  local file
  for file in fails-2-24 fails-1-11 fails-3-5 fails-1-24/below; do echo "$file" >"flaky/$file"; done
  reference flaky >expected_flaky
  faults() { ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS-} LD_PRELOAD=$work/faults.so "$program" flaky >out 2>err; }
  faults || fail "transient errors were not retried: $(cat err)"
  same expected_flaky out 'after transient errors'
  touch flaky/fails-1-13 flaky/fails-99-5
  faults
  [ $? -eq 1 ] || fail 'errors that stay: the exit code is not 1'
  says '^checksum_tree: flaky/fails-1-13: Permission denied$'
  says '^checksum_tree: flaky/fails-99-5: Input/output error$'
  same expected_flaky out 'beside errors that stay'
}

check_rate_and_vanishing() {
  mkdir slow
  local i begin took
  for ((i = 0; i < 11; i++)); do echo "$i" >"slow/$i"; done
  begin=${EPOCHREALTIME/./}
  run 0 slow --rate 20/s -j 8
  took=$((${EPOCHREALTIME/./} - begin))
  [ "$took" -ge 480000 ] || fail "11 files at 20/s took $took us"
  same <(reference slow) out 'at a rate'
  start slow --rate 4/s
  await_heartbeat
  rm slow/*
  finish 1
  adds_up 11 out
  says '^checksum_tree: slow/[0-9]+: No such file or directory$'
}

check_interrupt() {
  local i
  for ((i = 0; i < 40; i++)); do echo "$i" >"slow/$i"; done
  start slow --rate 5/s -o partial
  await_heartbeat
  [ ! -e partial ] || fail 'the output appeared before the end'
  kill -INT "$running"
  finish 130
  says '^checksum_tree: interrupted: [0-9]+ digested, [0-9]+ not digested$'
  adds_up 40 partial
  [ -s partial ] && sha256sum --quiet -c partial || fail 'what was done before the interrupt is wrong'
  # One file that would take hours, on one worker.
  mkdir endless
  truncate -s 1T endless/huge || return
  start endless -j 1
  await_heartbeat
  kill -INT "$running"
  finish 130
  adds_up 1 out
}

check_timeout() {
  echo small >endless/small
  run 1 endless -j 8 --timeout 500ms
  says '^checksum_tree: timed out after 0\.500 s: [0-9]+ digested, [0-9]+ not digested$'
  adds_up 2 out
}

for check in digests usage output broken_output permissions retries rate_and_vanishing interrupt timeout; do
  "check_$check"
done
[ "$failures" -eq 0 ] || exit 1
echo 'checksum_tree: all is well'
