#!/usr/bin/env bash
# build.sh PREFIX COMPILER OUTPUT: one compiler call with what pkg-config says, as in a Makefile.
set -eu
pc=$(find "$1" -name orchestrate.pc)  # lib or lib/<architecture>
export PKG_CONFIG_PATH="${pc%/*}"
# shellcheck disable=SC2046  # the words are separate arguments
"$2" -std=c++20 "$(dirname "$0")/../main.cpp" $(pkg-config --cflags --libs orchestrate) -o "$3"
