/**
 * What each shell runs when Tab is pressed: it asks `fairlead __complete` and shows the answer in its own way.
 *
 * The answer is lines of `candidate<tab>description`, or one line `:file`, `:directory` or `:program` that lets the shell
 * complete by itself. A candidate that ends with "=" is not complete: no blank follows it.
 */

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

const BASH = `# bash completion of fairlead; see fairlead help completion
_fairlead() {
  local cur prev words cword line candidate
  # A word with "=" in it is one word, whatever readline thinks.
  if declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref -n =: cur prev words cword
  else
    words=("\${COMP_WORDS[@]}") cword=$COMP_CWORD cur=\${COMP_WORDS[COMP_CWORD]}
  fi
  # Of a word that readline has broken, only what stands behind the last break is replaced.
  local head=\${cur%"\${cur##*[=:]}"}
  [[ $COMP_WORDBREAKS == *=* && $head == *=* ]] || head=
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "\${cur#"$head"}"); return ;;
      :directory) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "\${cur#"$head"}"); return ;;
      :program) mapfile -t COMPREPLY < <(compgen -c -- "$cur"); return ;;
    esac
    candidate=\${line%%$'\\t'*}
    [[ $candidate == *= ]] && compopt -o nospace 2>/dev/null
    COMPREPLY+=("\${candidate#"$head"}")
  done < <("\${words[0]}" __complete -- "\${words[@]:1:cword}" 2>/dev/null)
}
complete -F _fairlead fairlead
`;

const ZSH = `#compdef fairlead
# zsh completion of fairlead; see fairlead help completion
_fairlead() {
  local line candidate description
  local -a complete_words open_words
  while IFS= read -r line; do
    case $line in
      :file) compset -P '--*='; _files; return ;;
      :directory) compset -P '--*='; _files -/; return ;;
      :program) _command_names -e; return ;;
    esac
    candidate=\${line%%$'\\t'*}
    description=\${line#*$'\\t'}
    [[ $line == *$'\\t'* ]] || description=
    candidate=\${candidate//:/\\\\:}
    if [[ $candidate == *= ]]; then
      open_words+=("$candidate\${description:+:$description}")
    else
      complete_words+=("$candidate\${description:+:$description}")
    fi
  done < <("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  local result=1
  (( $#complete_words )) && _describe -t words fairlead complete_words && result=0
  (( $#open_words )) && _describe -t words fairlead open_words -S '' && result=0
  return result
}
if [[ \${funcstack[1]} == _fairlead ]]; then _fairlead "$@"; else compdef _fairlead fairlead; fi
`;

const FISH = `# fish completion of fairlead; see fairlead help completion
function __fairlead_complete
    set -l tokens (commandline -opc) (commandline -ct)
    for line in ($tokens[1] __complete -- $tokens[2..-1] 2>/dev/null)
        switch $line
            case :file
                __fish_complete_path (commandline -ct)
            case :directory
                __fish_complete_directories (commandline -ct)
            case :program
                __fish_complete_command
            case '*'
                printf '%s\\n' $line
        end
    end
end
complete -c fairlead -f -a '(__fairlead_complete)'
`;

export const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
