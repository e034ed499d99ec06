#!/usr/bin/env bash
# test.sh PROGRAM: the sample prints what it says it prints, and nothing on standard error.
set -euo pipefail
expected=$(dirname "$(readlink -f "$0")")/expected.txt
diff -u "$expected" <("$1" 2>&1 || echo "exit code $?")
