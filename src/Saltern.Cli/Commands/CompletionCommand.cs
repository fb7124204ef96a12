using System.CommandLine;
using Saltern.Cli.Terminal;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern completion SHELL</c>: a script that lets a shell complete verbs, options, their values and the names of shipped recipes.</summary>
/// <remarks>The scripts ask the program itself, by System.CommandLine's directive <c>[suggest:POSITION]</c>, so they never fall behind it. Where it has nothing to say, the shell completes file names.</remarks>
public static class CompletionCommand
{
    // Position and text without the program's name, whatever path it was called by. Beside recipes there may be files of that beginning.
    private const string Bash = """
        _saltern() {
            local word="${COMP_WORDS[COMP_CWORD]}" program="${COMP_WORDS[0]}" IFS=$'\n'
            local rest="${COMP_LINE#*"$program"}" skipped
            rest="${rest# }"
            skipped=$(( ${#COMP_LINE} - ${#rest} ))
            COMPREPLY=($(compgen -W "$("$program" "[suggest:$(( COMP_POINT - skipped ))]" "$rest" 2>/dev/null)" -- "$word"))
            if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then
                compopt -o nospace
            elif [[ $COMP_CWORD -gt 1 && $word != -* && ( ${#COMPREPLY[@]} -eq 0 || ${COMP_WORDS[COMP_CWORD-1]} != -* ) ]]; then
                local files=($(compgen -f -- "$word"))
                if [[ ${#files[@]} -gt 0 ]]; then
                    compopt -o filenames
                    COMPREPLY+=("${files[@]}")
                fi
            fi
        }
        complete -F _saltern saltern
        """;

    private const string Zsh = """
        #compdef saltern
        _saltern() {
            local program="${words[1]}"
            local rest="${BUFFER#*"$program"}"
            rest="${rest# }"
            local -a found=("${(@f)$("$program" "[suggest:$(( CURSOR - ${#BUFFER} + ${#rest} ))]" "$rest" 2>/dev/null)}")
            local -a keys=("${(@M)found:#*=}") others=("${(@)found:#*=}")
            [[ -n "${keys[*]}" ]] && compadd -S '' -- "${keys[@]}"
            [[ -n "${others[*]}" ]] && compadd -- "${others[@]}"
            [[ $CURRENT -gt 2 && "$PREFIX" != -* && ( -z "${found[*]}" || "${words[CURRENT-1]}" != -* ) ]] && _files
            return 0
        }
        if [[ "$funcstack[1]" = "_saltern" ]]; then _saltern; else compdef _saltern saltern; fi
        """;

    private const string Fish = """
        function __saltern_complete
            set -l line (commandline -cp)
            set -l program (commandline -opc)[1]
            set -l rest (string replace -r '^\s*\S+\s?' '' -- "$line")
            $program "[suggest:"(string length -- "$rest")"]" "$rest" 2>/dev/null
        end
        complete -c saltern -a '(__saltern_complete)'
        complete -c saltern -n __fish_use_subcommand -f
        """;

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish." };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Verb(
            "completion",
            "Print a script that teaches your shell to complete saltern's command lines.",
            [
                "saltern completion bash > ~/.local/share/bash-completion/completions/saltern",
                "saltern completion zsh > ~/.zfunc/_saltern    # with fpath+=~/.zfunc before compinit in ~/.zshrc",
                "saltern completion fish > ~/.config/fish/completions/saltern.fish",
            ]
        )
        {
            shell,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: false,
                (console, _) =>
                {
                    console.Line(
                        parsed.GetRequiredValue(shell) switch
                        {
                            "bash" => Bash,
                            "zsh" => Zsh,
                            _ => Fish,
                        }
                    );
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }
}
