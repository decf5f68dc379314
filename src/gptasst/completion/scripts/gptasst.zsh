#compdef gptasst
# gptasst completion for zsh
_gptasst() {
    local -a lines described open
    local kind line result=1
    lines=("${(@f)$("${(Q)words[1]}" __complete zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    kind=$lines[1]
    for line in "${(@)lines[2,-1]}"; do
        [[ -n $line ]] || continue
        if [[ ${line%%$'\t'*} == *= ]]; then # a value may follow at once
            open+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        else
            described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        fi
    done
    (( $#described )) && _describe -t gptasst gptasst described && result=0
    (( $#open )) && _describe -t gptasst gptasst open -S '' && result=0
    if [[ $kind == files ]]; then
        compset -P '--*=' # of `--file=a.md` only what follows is a path
        _files && result=0
    fi
    return result
}
if [[ $funcstack[1] == _gptasst ]]; then
    _gptasst "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
    compdef _gptasst gptasst
fi
