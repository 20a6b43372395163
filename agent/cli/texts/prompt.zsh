# The state of cfgsync in zsh's prompt; in ~/.zshrc, last: source <(cfgsync-agent prompt zsh)
#
# Reads the agent's status file without starting a program. The file counts while the agent that
# has written it lives. To place the icon oneself: put $cfgsync_icon into PROMPT or RPROMPT before.
_cfgsync_prompt() {
    local pid socket dir=${CFGSYNC_HOME:-${XDG_STATE_HOME:-$HOME/.local/state}/cfgsync}
    cfgsync_icon=
    if [[ -r $dir/lock && -r $dir/status ]]; then
        { read -r pid && read -r socket } <$dir/lock
        [[ $pid == [1-9]* && -S $socket ]] && kill -0 $pid 2>/dev/null &&
            read -r cfgsync_icon <$dir/status
    fi
    return 0
}
autoload -Uz add-zsh-hook
add-zsh-hook precmd _cfgsync_prompt
setopt prompt_subst
[[ "$PROMPT$RPROMPT" == *cfgsync_icon* ]] || PROMPT='${cfgsync_icon:+$cfgsync_icon }'$PROMPT
