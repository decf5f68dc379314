# gptasst completion for fish
function __gptasst_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    set -l plain (string unescape -- $current 2>/dev/null)
    or set plain $current
    set -l lines ($program __complete fish $words "$plain" 2>/dev/null)
    set -l kind $lines[1]
    set -e lines[1]
    test (count $lines) -gt 0; and printf '%s\n' $lines
    # As for any command that fish knows nothing about: with `~`, variables and quotes.
    test "$kind" = files; and complete -C "'' $current"
end
complete -c gptasst -f -a '(__gptasst_complete)'
