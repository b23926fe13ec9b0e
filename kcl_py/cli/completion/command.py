"""`kcl completion`: how does a shell learn to complete what is typed behind `kcl`?"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final

import typer

from kcl_py.cli.options import Shared


class ShellName(StrEnum):
    """Shells that can."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shared: Shared,
    *,
    shell: Annotated[ShellName, typer.Argument(metavar="bash|zsh|fish", help="Your shell.")],
) -> int:
    """Print what makes a shell complete commands, flags and their values.

    Names of streams and ids of shards are asked of the service, for a second at most.
    """
    del shared
    sys.stdout.write(SCRIPTS[shell])
    return 0


# The loop, not mapfile: macOS still comes with a bash that knows neither it nor compopt.
BASH: Final = """\
# Completion of kcl for bash. For this shell alone: eval "$(kcl completion bash)"
_kcl() {
    local line kind=
    COMPREPLY=()
    while IFS= read -r line; do
        if [ -z "$kind" ]; then
            kind=$line
        else
            COMPREPLY+=("$line")
        fi
    done < <(
        _KCL_COMPLETE=bash _KCL_LINE="${COMP_LINE:0:COMP_POINT}" _KCL_WORD="$2" \\
            "${1/#\\~/$HOME}" 2>/dev/null </dev/null
    )
    case $kind in
        files) compopt -o default 2>/dev/null ;;
        folders) compopt -o dirnames 2>/dev/null ;;
    esac
    case ${COMPREPLY[*]-} in
        *[=:]) compopt -o nospace 2>/dev/null ;;
    esac
}
complete -F _kcl kcl kcl-py
"""

ZSH: Final = """\
#compdef kcl kcl-py
# Completion of kcl for zsh. For this shell alone: source <(kcl completion zsh)
_kcl() {
    local line kind=
    local -a ended open
    while IFS= read -r line; do
        if [[ -z $kind ]]; then
            kind=$line
        elif [[ ${${line//\\\\:/;}%%:*} == *[=\\;] ]]; then
            open+=("$line")
        else
            ended+=("$line")
        fi
    done < <(
        _KCL_COMPLETE=zsh _KCL_LINE="${(j: :)words[1,CURRENT-1]} $PREFIX" \\
            ${~words[1]} 2>/dev/null </dev/null
    )
    case $kind in
        files) _files ;;
        folders) _files -/ ;;
        *)
            _describe -t values 'kcl' ended -- open -S ''
            ;;
    esac
}
if [[ ${funcstack[1]} == _kcl ]]; then
    _kcl "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _kcl kcl kcl-py
fi
"""

FISH: Final = """\
# Completion of kcl for fish. For this shell alone: kcl completion fish | source
function __kcl_complete
    set -l program (commandline -opc)[1]
    set -l line (commandline -cp | string collect)
    set -l found (env _KCL_COMPLETE=fish _KCL_LINE="$line" $program 2>/dev/null </dev/null)
    switch "$found[1]"
        case files
            __fish_complete_path (commandline -ct)
        case folders
            __fish_complete_directories (commandline -ct)
        case '*'
            printf '%s\\n' $found[2..-1]
    end
end
complete -c kcl -f -a '(__kcl_complete)'
complete -c kcl-py -f -a '(__kcl_complete)'
"""

SCRIPTS: Final[Mapping[str, str]] = MappingProxyType({"bash": BASH, "zsh": ZSH, "fish": FISH})
