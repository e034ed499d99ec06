#!/usr/bin/env bash
# run.sh KIND LIBRARY_BUILD WORK COMPILER: builds the consumer KIND in WORK, offline, and checks what it prints.
# The folders stay, so that a second run has nothing to build.
set -eu
kind=$1 library_build=$2 work=$3 compiler=$4
here=$(cd "$(dirname "$0")" && pwd)
prefix=$work/prefix
mkdir -p "$work"

install_library() {
  rm -rf "$prefix"  # a header that was removed must not survive here
  cmake --install "$library_build" --prefix "$prefix" >"$work/install.log"
}

build_with_cmake() {
  cmake -S "$here/$kind" -B "$work/build" -G Ninja -DCMAKE_CXX_COMPILER="$compiler" "$@"
  cmake --build "$work/build"
  program=$work/build/consumer
}

case $kind in
  find_package) install_library && build_with_cmake -DCMAKE_PREFIX_PATH="$prefix" ;;
  pkg_config)
    install_library
    program=$work/consumer
    bash "$here/pkg_config/build.sh" "$prefix" "$compiler" "$program"
    ;;
  # The library as a few large sources: its users may build it so, and most of the time goes to the same headers.
  add_subdirectory) build_with_cmake -DCMAKE_UNITY_BUILD=ON ;;
  fetch_content) build_with_cmake -DCMAKE_UNITY_BUILD=ON -DFETCHCONTENT_FULLY_DISCONNECTED=ON ;;
  *) echo "run.sh: unknown kind '$kind'" && exit 2 ;;
esac
printed=$("$program")
[ "$printed" = hello ] || { echo "$kind: the program printed '$printed' instead of 'hello'" && exit 1; }
echo "$kind: ok"
