# cfgsync_room(name DIR folder USES room... LIBS target... EXCLUDE file...): one static library from
# every .c of the room's folder. USES repeats the include table of tests/lint/layers.py, so that a
# forbidden call also fails to link.
function(cfgsync_room name)
    cmake_parse_arguments(ROOM "" "DIR" "USES;LIBS;EXCLUDE" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${ROOM_DIR}/*.c)
    foreach(unwanted ${ROOM_EXCLUDE})
        list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/${ROOM_DIR}/${unwanted})
    endforeach()
    # Siblings behind one header are named for their system, or for what only that has.
    if(APPLE)
        list(FILTER sources EXCLUDE REGEX "_(linux|inotify)\\.c$")
    else()
        list(FILTER sources EXCLUDE REGEX "_(macos|fsevents)\\.c$")
    endif()
    # A room that has only its header yet still takes its place in the graph.
    if(sources)
        set(scope PUBLIC)
        add_library(room_${name} STATIC ${sources})
        target_link_libraries(room_${name} PRIVATE ${ROOM_LIBS})
    else()
        set(scope INTERFACE)
        add_library(room_${name} INTERFACE)
    endif()
    target_link_libraries(room_${name} ${scope} cfgsync_flags)
    foreach(used ${ROOM_USES})
        target_link_libraries(room_${name} ${scope} room_${used})
    endforeach()
endfunction()
