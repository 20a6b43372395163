# The state of cfgsync in bash's prompt; in ~/.bashrc, last: eval "$(cfgsync-agent prompt bash)"
#
# Reads the agent's status file without starting a program. The file counts while the agent that
# has written it lives. To place the icon oneself: put $cfgsync_icon into PS1 before this.
_cfgsync_prompt() {
    local code=$? pid='' socket='' dir=${XDG_STATE_HOME:-$HOME/.local/state}/cfgsync
    [[ -n ${CFGSYNC_HOME-} ]] && dir=$CFGSYNC_HOME
    cfgsync_icon=''
    if [[ -r $dir/lock && -r $dir/status ]]; then
        { read -r pid && read -r socket; } <"$dir/lock"
        [[ $pid == [1-9]* && -S $socket ]] && kill -0 "$pid" 2>/dev/null &&
            read -r cfgsync_icon <"$dir/status"
    fi
    return "$code"
}
PROMPT_COMMAND="_cfgsync_prompt${PROMPT_COMMAND:+; $PROMPT_COMMAND}"
# shellcheck disable=SC2016
[[ ${PS1-} == *cfgsync_icon* ]] || PS1='${cfgsync_icon:+$cfgsync_icon }'${PS1-}
