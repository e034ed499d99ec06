# orchestrate::core is the layers base..flow, orchestrate::testkit stands beside them.
find_package(Threads REQUIRED)
find_package(TBB REQUIRED)

set(root "${PROJECT_SOURCE_DIR}")
file(GLOB core_sources CONFIGURE_DEPENDS ${root}/src/base/*.cpp ${root}/src/time/*.cpp ${root}/src/exec/*.cpp
     ${root}/src/task/*.cpp ${root}/src/sync/*.cpp ${root}/src/flow/*.cpp)
file(GLOB_RECURSE core_headers CONFIGURE_DEPENDS ${root}/include/orchestrate/*.hpp)
set(testkit_headers ${core_headers})
list(FILTER core_headers EXCLUDE REGEX "/include/orchestrate/testkit/")
list(FILTER testkit_headers INCLUDE REGEX "/include/orchestrate/testkit/")
file(GLOB testkit_sources CONFIGURE_DEPENDS ${root}/src/testkit/*.cpp)

# What both libraries have in common; scope is PUBLIC, or INTERFACE for a library without sources.
function(orchestrate_library target name scope)
  add_library(orchestrate::${name} ALIAS ${target})
  target_compile_features(${target} ${scope} cxx_std_20)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} VERSION ${PROJECT_VERSION}
                        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
                        CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${ARGN})
  if(NOT scope STREQUAL "INTERFACE")
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:orchestrate_warnings>)
    target_compile_definitions(${target} PRIVATE ORCHESTRATE_BUILDING)
  endif()
endfunction()

add_library(orchestrate_core ${core_sources})
orchestrate_library(orchestrate_core core PUBLIC ${core_headers})
target_link_libraries(orchestrate_core PUBLIC Threads::Threads PRIVATE TBB::tbb)
if(BUILD_SHARED_LIBS)
  target_compile_definitions(orchestrate_core PUBLIC ORCHESTRATE_SHARED)
endif()

if(testkit_sources)
  add_library(orchestrate_testkit ${testkit_sources})
  orchestrate_library(orchestrate_testkit testkit PUBLIC ${testkit_headers})
  target_link_libraries(orchestrate_testkit PUBLIC orchestrate_core)
else()
  add_library(orchestrate_testkit INTERFACE)
  orchestrate_library(orchestrate_testkit testkit INTERFACE ${testkit_headers})
  target_link_libraries(orchestrate_testkit INTERFACE orchestrate_core)
endif()

if(orchestrate_sanitize_options)
  target_compile_options(orchestrate_core PUBLIC "$<BUILD_INTERFACE:${orchestrate_sanitize_options}>")
  target_link_options(orchestrate_core PUBLIC "$<BUILD_INTERFACE:${orchestrate_sanitize_options}>")
endif()
if(ORCHESTRATE_SANITIZE STREQUAL "thread")
  # ThreadSanitizer cannot see hand-offs inside Debian's libtbb and would report TBB's inline code. Only the one file
  # that includes TBB goes without; tools/check_layers keeps everything else out of that file.
  set_source_files_properties(${root}/src/exec/tbb_arena.cpp PROPERTIES COMPILE_OPTIONS -fno-sanitize=thread)
endif()
