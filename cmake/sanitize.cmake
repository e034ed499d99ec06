# One cache variable, because a second -DCMAKE_CXX_FLAGS would silently replace the first. The options are part of
# the usage requirements of orchestrate_core in the build tree, so that whatever links it is instrumented too.
set(orchestrate_sanitize_options "")
set(orchestrate_test_environment "")
if(ORCHESTRATE_SANITIZE STREQUAL "address")
  set(orchestrate_sanitize_options -fsanitize=address,undefined -fno-sanitize-recover=all
      -fno-omit-frame-pointer)
  set(orchestrate_test_environment
      "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1")
  # Clang's runtime does not look for the name that Debian gives the symbolizer.
  find_program(ORCHESTRATE_SYMBOLIZER NAMES llvm-symbolizer-16 llvm-symbolizer)
  mark_as_advanced(ORCHESTRATE_SYMBOLIZER)
  if(ORCHESTRATE_SYMBOLIZER AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    string(APPEND orchestrate_test_environment ":external_symbolizer_path=${ORCHESTRATE_SYMBOLIZER}")
  endif()
elseif(ORCHESTRATE_SANITIZE STREQUAL "thread")
  set(orchestrate_sanitize_options -fsanitize=thread -fno-omit-frame-pointer)
  set(orchestrate_test_environment
      "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tools/tsan.supp:exitcode=66:second_deadlock_stack=1:atexit_sleep_ms=0")
elseif(ORCHESTRATE_SANITIZE)
  message(FATAL_ERROR "ORCHESTRATE_SANITIZE is '${ORCHESTRATE_SANITIZE}', must be empty, address or thread")
endif()
