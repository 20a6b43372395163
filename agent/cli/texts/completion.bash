# bash completion of cfgsync-agent; in ~/.bashrc: eval "$(cfgsync-agent completion bash)"
#
# readline splits words at "=" and ":" and replaces what is behind. To be asked about they are put
# together again, and what readline leaves alone is cut off the answers.
_cfgsync_agent() {
    local IFS=$'\n' program=${COMP_WORDS[0]/#\~/$HOME}
    local line word quote='' kind='' cut='' glue=0 i last=-1
    local -a words=() lines=()
    type -P "$program" >/dev/null || program=cfgsync-agent
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((last >= 0)) && { ((glue)) || [[ $word == [=:]* ]]; }; then
            cut=${words[last]}
            [[ $word == [=:]* ]] && cut+=$word
            words[last]+=$word
        else
            cut=''
            words[++last]=$word
        fi
        [[ $word == *[=:] ]] && glue=1 || glue=0
    done
    [[ ${words[last]} == [\'\"]* ]] && quote=1
    words=("${words[@]//[\\\'\"]/}")
    while IFS= read -r line; do
        if [[ -z $kind ]]; then kind=$line; else lines+=("${line%%$'\t'*}"); fi
    done < <("$program" completion words -- "${words[@]}" 2>/dev/null)
    COMPREPLY=()
    case $kind in
    :files | :dirs)
        compopt -o filenames 2>/dev/null
        [[ $kind == :dirs ]] && kind=-d || kind=-f
        word=${words[last]#"$cut"}
        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "$kind" -- "$word")
        ;;
    :paths)
        compopt -o filenames 2>/dev/null
        COMPREPLY=("${lines[@]}")
        ;;
    *)
        for line in "${lines[@]}"; do
            line=${line#"$cut"}
            [[ -z $quote && $line == *[!A-Za-z0-9_.,:=@%+/-]* ]] && printf -v line %q "$line"
            COMPREPLY+=("$line")
        done
        ;;
    esac
}
complete -F _cfgsync_agent cfgsync-agent
