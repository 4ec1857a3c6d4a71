# What only one of the two packages has; CPack reads this once a generator.
if(CPACK_GENERATOR STREQUAL "DEB")
    list(GET CPACK_INSTALL_CMAKE_PROJECTS 0 build)
    list(APPEND CPACK_INSTALL_CMAKE_PROJECTS "${build}" escortd debian /)
elseif(CPACK_GENERATOR STREQUAL "RPM")
    list(GET CPACK_INSTALL_CMAKE_PROJECTS 0 build)
    list(APPEND CPACK_INSTALL_CMAKE_PROJECTS "${build}" escortd rpm /)
endif()
