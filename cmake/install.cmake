include(CMakePackageConfigHelpers)
include(GNUInstallDirs)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/orchestrate)

install(TARGETS orchestrate_core orchestrate_testkit EXPORT orchestrate FILE_SET HEADERS)
install(EXPORT orchestrate NAMESPACE orchestrate:: FILE orchestrateTargets.cmake DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/orchestrateConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/orchestrateConfig.cmake INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break its callers.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/orchestrateConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/orchestrateConfig.cmake ${PROJECT_BINARY_DIR}/orchestrateConfigVersion.cmake
        DESTINATION ${package_dir})

# A static library has nowhere to keep the names of what it needs: its users must link TBB themselves.
if(BUILD_SHARED_LIBS)
  set(pc_requires "Requires.private: tbb")
  set(pc_cflags "-DORCHESTRATE_SHARED")
else()
  set(pc_requires "Requires: tbb")
  set(pc_cflags "")
endif()
file(RELATIVE_PATH pc_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${PROJECT_SOURCE_DIR}/cmake/orchestrate.pc.in ${PROJECT_BINARY_DIR}/orchestrate.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/orchestrate.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
