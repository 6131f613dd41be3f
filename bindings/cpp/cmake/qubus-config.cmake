# find_package(qubus) gives the target qubus::qubus: libqubus, its headers and C++17.
# The library is sought beside this file first, so that an installation can be moved.
get_filename_component(_qubus_libdir "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
find_library(QUBUS_LIBRARY qubus HINTS "${_qubus_libdir}" NO_DEFAULT_PATH)
find_library(QUBUS_LIBRARY qubus)
find_path(QUBUS_INCLUDE_DIR qubus/qubus.hpp
  HINTS "${_qubus_libdir}/../include" "${_qubus_libdir}/../../include" NO_DEFAULT_PATH)
find_path(QUBUS_INCLUDE_DIR qubus/qubus.hpp)
mark_as_advanced(QUBUS_LIBRARY QUBUS_INCLUDE_DIR)

if(NOT QUBUS_LIBRARY OR NOT QUBUS_INCLUDE_DIR)
  set(qubus_FOUND FALSE)
  set(qubus_NOT_FOUND_MESSAGE
    "libqubus or qubus/qubus.hpp is missing: make -C bindings/c install, make -C bindings/cpp install")
  return()
endif()

if(NOT TARGET qubus::qubus)
  add_library(qubus::qubus SHARED IMPORTED)
  set_target_properties(qubus::qubus PROPERTIES
    IMPORTED_LOCATION "${QUBUS_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${QUBUS_INCLUDE_DIR}"
    INTERFACE_COMPILE_FEATURES cxx_std_17)
endif()
unset(_qubus_libdir)
