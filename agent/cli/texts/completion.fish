# fish completion of cfgsync-agent; once:
#   cfgsync-agent completion fish >~/.config/fish/completions/cfgsync-agent.fish
function __cfgsync_agent_words
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l typed (string unescape -- "$current"; or echo -- "$current")
    set -l lines ($before[1] completion words -- $before[2..-1] "$typed" 2>/dev/null)
    switch "$lines[1]"
        case :files
            __fish_complete_path "$typed"
        case :dirs
            __fish_complete_directories "$typed" ''
        case '*'
            printf '%s\n' $lines[2..-1]
    end
end
complete -c cfgsync-agent -f -a '(__cfgsync_agent_words)'
