# cmake --install: the program, its man pages, the service unit of a user, completions, documents.
set(CMAKE_INSTALL_LIBDIR lib) # nothing goes there
include(GNUInstallDirs)
set(CFGSYNC_ZSH_DIR ${CMAKE_INSTALL_DATADIR}/zsh/site-functions CACHE STRING
    "where zsh looks for completions, below the prefix")

install(TARGETS cfgsync-agent)
install(FILES docs/man/cfgsync-agent.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES docs/man/cfgsync-agent.conf.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES README.md docs/API.md docs/ARCHITECTURE.md docs/GUIDE.md docs/PROTOCOL.md
    docs/STORAGE.md
    DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(texts ${CMAKE_SOURCE_DIR}/agent/cli/texts)
install(FILES ${texts}/completion.bash RENAME cfgsync-agent
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${texts}/completion.zsh RENAME _cfgsync-agent DESTINATION ${CFGSYNC_ZSH_DIR})
install(FILES ${texts}/completion.fish RENAME cfgsync-agent.fish
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

# As `cfgsync-agent service install` would write it for everybody.
if(CMAKE_SYSTEM_NAME STREQUAL Linux)
    file(READ ${texts}/service.unit unit)
    string(REPLACE "@PROGRAM@" "${CMAKE_INSTALL_FULL_BINDIR}/cfgsync-agent" unit "${unit}")
    string(REPLACE "@ENVIRONMENT@\n" "" unit "${unit}")
    file(CONFIGURE OUTPUT cfgsync-agent.service CONTENT "${unit}" @ONLY)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${texts}/service.unit)
    install(FILES ${CMAKE_BINARY_DIR}/cfgsync-agent.service DESTINATION lib/systemd/user)
endif()
