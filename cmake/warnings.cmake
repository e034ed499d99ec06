# Linked privately by everything that is compiled here and never exported: a user's compiler may know warnings
# that ours does not, and those must not break the user's build.
add_library(orchestrate_warnings INTERFACE)
if(PROJECT_IS_TOP_LEVEL)
  target_compile_options(orchestrate_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                         -Wsign-conversion -Wold-style-cast -Werror)
  # GCC's manual: sanitizers make its flow analysis report what cannot happen. The other presets keep these on.
  if(ORCHESTRATE_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(orchestrate_warnings INTERFACE -Wno-array-bounds -Wno-maybe-uninitialized -Wno-restrict
                           -Wno-stringop-overflow)
  endif()
endif()
