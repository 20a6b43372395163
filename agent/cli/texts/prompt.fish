# The state of cfgsync in fish's prompt; in ~/.config/fish/config.fish, last:
#   cfgsync-agent prompt fish | source
#
# Reads the agent's status file without starting a program. The file counts while the agent that
# has written it lives. To place the icon oneself: call cfgsync_icon in fish_prompt.
function cfgsync_icon
    set -l dir $HOME/.local/state/cfgsync
    test -n "$XDG_STATE_HOME"; and set dir $XDG_STATE_HOME/cfgsync
    test -n "$CFGSYNC_HOME"; and set dir $CFGSYNC_HOME
    test -r $dir/lock -a -r $dir/status; or return 0
    read -lz lock <$dir/lock
    set -l lines (string split \n -- $lock)
    test -S "$lines[2]"; or return 0
    if test -d /proc/self
        test -d "/proc/$lines[1]"; or return 0
    else
        kill -0 "$lines[1]" 2>/dev/null; or return 0
    end
    read -l icon <$dir/status
    test -n "$icon"; and echo -n "$icon "
    return 0
end
if functions -q fish_prompt; and not string match -q '*cfgsync_icon*' -- (functions fish_prompt | string collect)
    functions -c fish_prompt __cfgsync_fish_prompt
    function fish_prompt
        set -l code $status
        cfgsync_icon
        __cfgsync_code $code
        __cfgsync_fish_prompt
    end
    function __cfgsync_code
        return $argv[1]
    end
end
