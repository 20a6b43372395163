#compdef cfgsync-agent
# zsh completion of cfgsync-agent; in ~/.zshrc, behind compinit:
#   source <(cfgsync-agent completion zsh)
_cfgsync_agent() {
    local -a lines shown
    local line kind program=${~words[1]}
    (( $+commands[$program] )) || [[ -x $program ]] || program=cfgsync-agent
    lines=("${(@f)$($program completion words -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    kind=$lines[1]
    shift lines
    for line in $lines; do
        shown+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    case $kind in
    :files) _files ;;
    :dirs) _files -/ ;;
    :paths) compadd -f -- "${(@)lines%%$'\t'*}" ;;
    *) _describe cfgsync-agent shown ;;
    esac
}
if [[ $funcstack[1] == _cfgsync-agent ]]; then
    _cfgsync_agent "$@"
else
    compdef _cfgsync_agent cfgsync-agent
fi
