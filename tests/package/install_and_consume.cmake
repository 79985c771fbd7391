# Installs components into a fresh folder, and builds and runs a project that finds them there.
# cmake -D BUILD=... -D WORK=... -D COMPILER=... -D FLAGS=... -D NM=...
# -D "COMPONENTS=core;..." -P install_and_consume.cmake
function(step)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE result)
  if(result)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK})
foreach(component IN LISTS COMPONENTS)
  step(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix --component ${component})
endforeach()

file(GLOB_RECURSE compiled ${WORK}/prefix/*.pcm ${WORK}/prefix/*.gcm)
if(compiled)
  message(FATAL_ERROR "compiled interfaces were installed: ${compiled}")
endif()

# A program may hold Eigen itself, compiled with other flags: of functions of one name the linker takes only one.
file(GLOB archives ${WORK}/prefix/lib*/*.a)
foreach(archive IN LISTS archives)
  step(${NM} ${archive})
  if(output MATCHES "N[KV]*5Eigen")
    message(FATAL_ERROR "${archive} holds functions in the name of Eigen: include it through modules/own_eigen.hpp")
  endif()
endforeach()

function(consume folder components)
  list(JOIN components "," wanted)  # a list would fall apart on its way
  step(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_FUNCTION_LIST_DIR} -B ${WORK}/${folder} -G Ninja
    -D CMAKE_PREFIX_PATH=${WORK}/prefix -D CMAKE_CXX_COMPILER=${COMPILER} "-DCMAKE_CXX_FLAGS=${FLAGS}"
    -D WANTED=${wanted} ${ARGN})
  step(${CMAKE_COMMAND} --build ${WORK}/${folder} --parallel 2)
  foreach(component IN LISTS components)
    step(${WORK}/${folder}/${component}_consumer)
    message(STATUS "${output}")
  endforeach()
endfunction()

# Interfaces are compiled as their importer is: as CMake does it unasked, and in another way.
consume(as_it_comes "${COMPONENTS}")
consume(strict_and_newer core -D CMAKE_CXX_STANDARD=23 -D CMAKE_CXX_EXTENSIONS=OFF)
consume(of_an_older_cmake core -D ASKS_FOR=3.18)

# What cannot work is refused with what to write.
function(refuse folder expected)
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_FUNCTION_LIST_DIR} -B ${WORK}/${folder} -G Ninja
      -D CMAKE_PREFIX_PATH=${WORK}/prefix -D CMAKE_CXX_COMPILER=${COMPILER} "-DCMAKE_CXX_FLAGS=${FLAGS}" -D WANTED=core
      ${ARGN}
    OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE result)
  string(REGEX REPLACE "[ \n]+" " " output "${output}")
  string(FIND "${output}" "${expected}" found)
  if(NOT result OR found EQUAL -1)
    message(FATAL_ERROR "${folder}: expected \"${expected}\" in\n${output}")
  endif()
endfunction()
refuse(without_scan "write set(CMAKE_CXX_SCAN_FOR_MODULES ON) before find_package(AutoTuneNet)"
  -D CMAKE_CXX_SCAN_FOR_MODULES=OFF)
refuse(too_old_a_standard "write set(CMAKE_CXX_STANDARD 20) before find_package(AutoTuneNet)" -D CMAKE_CXX_STANDARD=17)
