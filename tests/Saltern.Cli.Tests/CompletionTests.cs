using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text;

namespace Saltern.Cli.Tests;

// The shells themselves complete: a person's keys go into an interactive shell on a terminal of its own, and what it then runs is looked at.
[SupportedOSPlatform("linux")]
public sealed class CompletionTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("saltern-completion-").FullName;

    public CompletionTests()
    {
        string program = Path.Combine(_folder, "saltern");
        File.WriteAllText(program, $"#!/bin/sh\nexec dotnet '{SalternProcess.Program}' \"$@\"\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (string shell in new[] { "bash", "zsh", "fish" })
        {
            (int code, string script, string error) = SalternProcess.Run("completion", shell);
            Assert.True(code == 0, error);
            File.WriteAllText(Path.Combine(_folder, shell + "-script"), script);
        }

        File.WriteAllText(Path.Combine(_folder, "core-of-mine.yaml"), "");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("saltern", "demo")]
    [InlineData("saltern tr", "train")]
    [InlineData("saltern recipe sh", "show")]
    [InlineData("saltern train --re", "--resume")]
    [InlineData("saltern export x --format ", "gguf hf")]
    [InlineData("saltern plan core-sa", "core-salt core-salt-cached core-salt-ds")]
    [InlineData("saltern plan core-o", "core-of-mine.yaml")]
    [InlineData("saltern study studies/dotnet-docs-st", "studies/dotnet-docs-study")]
    [InlineData("saltern train core-salt --set distillation.wei", "distillation.weight=")]
    public void Bash_OffersWhatFits(string line, string offered)
    {
        SkipWithout("bash");
        string[] words = line.Split(' ');
        string driver = $"""
            export PATH="{_folder}:$PATH"; cd '{_folder}'; source bash-script
            COMP_LINE='{line}'; COMP_POINT={line.Length}; COMP_WORDS=({string.Join(
                ' ',
                words.Select(word => $"'{word}'")
            )}); COMP_CWORD={words.Length - 1}
            {(line == "saltern" ? "COMP_LINE='saltern '; COMP_POINT=8; COMP_WORDS=(saltern ''); COMP_CWORD=1" : "")}
            _saltern 2>/dev/null
            printf '%s\n' "$(IFS=$'\n'; echo "${"{COMPREPLY[*]}"}")"
            """;
        string[] found = Run("bash", ["--norc", "-c", driver], keys: "")
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (line == "saltern")
        {
            Assert.Superset(new HashSet<string>(["demo", "train", "watch", "completion"]), found.ToHashSet());
            return;
        }

        Assert.Equal(offered.Split(' '), found.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("bash", "--norc -i", "PATH=\"FOLDER:$PATH\"; cd FOLDER; source bash-script")]
    [InlineData(
        "zsh",
        "-f -i",
        "PATH=\"FOLDER:$PATH\"; cd FOLDER; autoload -Uz compinit; compinit -u -D; source ./zsh-script"
    )]
    public void Keys_CompleteALine_ThatThenRuns(string shell, string options, string setup)
    {
        SkipWithout(shell);
        SkipWithout("script");
        // Tab completes 'recipe' and 'schema', whose output the file then holds.
        string keys =
            setup.Replace("FOLDER", _folder, StringComparison.Ordinal) + "\nsaltern recip\tsch\t> schema.json\nexit\n";
        string seen = Run("script", ["-qec", $"{shell} {options}", "/dev/null"], keys);
        string schema = Path.Combine(_folder, "schema.json");
        Assert.True(
            File.Exists(schema)
                && File.ReadAllText(schema).Contains("\"title\": \"Saltern recipe\"", StringComparison.Ordinal),
            seen
        );
    }

    [Theory]
    [InlineData("saltern tr", "train")]
    [InlineData("saltern plan core-salt-", "core-salt-cached core-salt-ds")]
    public void Fish_OffersWhatFits(string line, string offered)
    {
        SkipWithout("fish");
        string driver = $"set -x PATH '{_folder}' $PATH; cd '{_folder}'; source fish-script; complete -C '{line}'";
        string[] found =
        [
            .. Run("fish", ["--no-config", "-c", driver], keys: "")
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(each => each.Split('\t')[0]),
        ];
        Assert.Equal(offered.Split(' '), found.Order(StringComparer.Ordinal));
    }

    private static void SkipWithout(string program) =>
        Assert.SkipUnless(
            new[] { "/usr/bin", "/bin", "/usr/local/bin" }.Any(folder => File.Exists(Path.Combine(folder, program))),
            $"{program} is not installed."
        );

    private static string Run(string program, string[] arguments, string keys)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(false),
        };
        start.Environment["TERM"] = "xterm";
        using Process process = Process.Start(start)!;
        process.StandardInput.Write(keys);
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(Wait.LongestRun), $"{program} did not end");
        return output + error.Result;
    }
}
