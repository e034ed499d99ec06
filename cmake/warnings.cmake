# Linked privately by everything that is compiled here and never exported: a user's compiler may know warnings
# that ours does not, and those must not break the user's build.
add_library(orchestrate_warnings INTERFACE)
if(PROJECT_IS_TOP_LEVEL)
  target_compile_options(orchestrate_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                         -Wsign-conversion -Wold-style-cast -Werror)
endif()
