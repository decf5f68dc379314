# gptasst completion for bash
_gptasst() {
    local kind='' name quoted path
    local typed=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    while IFS=$'\t' read -r name _; do
        if [[ -z $kind ]]; then
            kind=$name
        elif [[ -n $name ]]; then
            COMPREPLY+=("$name")
        fi
    done < <("$1" __complete bash "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)

    if [[ $kind == files ]]; then
        # Without a name to offer, readline completes paths by itself.
        if ((${#COMPREPLY[@]})); then
            compopt -o filenames 2>/dev/null
            while IFS= read -r path; do
                COMPREPLY+=("$path")
            done < <(compgen -f -- "$2")
        fi
        return
    fi
    compopt +o default +o bashdefault 2>/dev/null
    if [[ $typed != [\"\']* ]]; then
        local number
        for number in "${!COMPREPLY[@]}"; do
            printf -v quoted %q "${COMPREPLY[number]}"
            COMPREPLY[number]=$quoted
        done
    fi
    # A value may follow `--option=` at once, and so may what comes after a colon.
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=:] ]] && compopt -o nospace 2>/dev/null
    return 0
}
complete -o bashdefault -o default -F _gptasst gptasst
