# cfgsync_room(name USES room... LIBS target...): one static library from every .c of the room's
# folder. USES repeats the include table of tests/lint/layers.py, so that a forbidden call also
# fails to link.
function(cfgsync_room name)
    cmake_parse_arguments(ROOM "" "DIR" "USES;LIBS;EXCLUDE" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${ROOM_DIR}/*.c)
    foreach(unwanted ${ROOM_EXCLUDE})
        list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/${ROOM_DIR}/${unwanted})
    endforeach()
    add_library(room_${name} STATIC ${sources})
    target_link_libraries(room_${name} PUBLIC cfgsync_flags)
    foreach(used ${ROOM_USES})
        target_link_libraries(room_${name} PUBLIC room_${used})
    endforeach()
    target_link_libraries(room_${name} PRIVATE ${ROOM_LIBS})
endfunction()
