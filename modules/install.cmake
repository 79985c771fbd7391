# Installs module sources, never compiled interfaces: those belong to one compiler with one set of flags.
include(CMakePackageConfigHelpers)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/AutoTuneNet)
foreach(component core journal torch)
  if(TARGET autotunenet_${component})
    install(TARGETS autotunenet_${component} EXPORT AutoTuneNet-${component} COMPONENT ${component}
      ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
      FILE_SET CXX_MODULES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/autotunenet/${component}
      FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/autotunenet/${component})
    install(EXPORT AutoTuneNet-${component} COMPONENT ${component} NAMESPACE AutoTuneNet::
      DESTINATION ${package_folder} CXX_MODULES_DIRECTORY ${component}-modules)
  endif()
endforeach()

write_basic_package_version_file(AutoTuneNetConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES modules/AutoTuneNetConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/AutoTuneNetConfigVersion.cmake
  COMPONENT core DESTINATION ${package_folder})
