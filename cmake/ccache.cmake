# ccache shortens rebuilds after a branch switch. Precompiled headers need the two sloppy checks (ccache manual,
# "Precompiled headers"); they are set here so that nobody has to configure ccache for this project.
find_program(ORCHESTRATE_CCACHE ccache)
mark_as_advanced(ORCHESTRATE_CCACHE)
if(ORCHESTRATE_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${ORCHESTRATE_CCACHE}")
endif()
