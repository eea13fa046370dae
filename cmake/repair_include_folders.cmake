# Two repairs for building on the ROS wheels from PyPI, once every target is known. Neither finds
# anything to do on a normal ROS installation.
#
# 1. The wheels' imported targets name the Python include folder of the container that built them
#    (/opt/python/...). CMake refuses include folders that do not exist.
# 2. The generated targets export numpy's include folder. CMake refuses to export a folder inside
#    the source tree, which is where it is when the virtual environment is ./.venv.
function(_repair_include_folders)
  get_property(imported DIRECTORY PROPERTY IMPORTED_TARGETS)
  get_property(built DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS imported built)
    get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT folders)
      continue()
    endif()
    set(repaired)
    foreach(folder IN LISTS folders)
      string(FIND "${folder}" "${CMAKE_SOURCE_DIR}/.venv/" place)
      if(folder MATCHES "^/opt/python/" AND NOT EXISTS "${folder}")
        continue()
      elseif(place EQUAL 0)
        list(APPEND repaired "$<BUILD_INTERFACE:${folder}>")
      else()
        list(APPEND repaired "${folder}")
      endif()
    endforeach()
    set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${repaired}")
  endforeach()
endfunction()
cmake_language(DEFER CALL _repair_include_folders)
