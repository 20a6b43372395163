# cfgsync_texts(TARGET folder): every file of the folder becomes an array of the target, named after
# it with "text_" in front: completion.bash is `const char text_completion_bash[]`, NUL-terminated.
function(cfgsync_texts target folder)
    file(GLOB texts CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*)
    foreach(text IN LISTS texts)
        get_filename_component(name ${text} NAME)
        string(MAKE_C_IDENTIFIER "text_${name}" symbol)
        file(READ ${text} bytes HEX)
        string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
        set(source ${CMAKE_BINARY_DIR}/texts/${symbol}.c)
        file(CONFIGURE OUTPUT ${source} CONTENT
            "extern const char ${symbol}[];\nconst char ${symbol}[] = {${bytes}0};\n" @ONLY)
        target_sources(${target} PRIVATE ${source})
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${text})
    endforeach()
endfunction()
