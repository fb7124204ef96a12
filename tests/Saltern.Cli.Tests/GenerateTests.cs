namespace Saltern.Cli.Tests;

public class GenerateTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Fact]
    public void Samples_AreThoseOfTheirSeeds()
    {
        string[] few = ["--prompt", "The cat", "--max-tokens", "8"];
        string both = Generate([.. few, "--samples", "2", "--seed", "5"]);
        string expected =
            $"--- sample 1 of 2, seed 5\n{Generate([.. few, "--seed", "5"])}--- sample 2 of 2, seed 6\n{Generate([.. few, "--seed", "6"])}";
        Assert.Equal(expected, both);
    }

    [Fact]
    public void APrompt_IsReadFromStandardInput_WithoutItsLastLineBreak()
    {
        string[] greedy = ["--max-tokens", "6", "--temperature", "0", "--prompt"];
        (int code, string output, string error) = SalternProcess.RunWithInput(
            "The\ncat\n",
            ["generate", workspace["teacher"], .. greedy, "-"]
        );
        Assert.True(code == 0, error);
        Assert.Equal(Generate([.. greedy, "The\ncat"]), output);
    }

    [Fact]
    public void AStopText_EndsTheSample_AndIsLeftOut()
    {
        const string Prompt = "The cat";
        string[] options = ["--max-tokens", "30", "--temperature", "1", "--prompt", Prompt];
        string added = Generate(options)[Prompt.Length..^1];
        Assert.True(added.Length > 12, added);
        string stop = added[6..9];
        int at = added.IndexOf(stop, StringComparison.Ordinal);
        Assert.Equal(Prompt + added[..at] + "\n", Generate([.. options, "--stop", "never\u0001", "--stop", stop]));
    }

    [Fact]
    public void Chat_PutsTheMessageIntoAConversation_AndWritesTheReplyAlone()
    {
        string[] greedy = ["--max-tokens", "6", "--temperature", "0"];
        string inForm = Generate([.. greedy, "--prompt", "User:\nHello\n\nAssistant:\n"]);
        string reply = Generate([.. greedy, "--template", "turns", "--prompt", "Hello"]);
        Assert.Equal(inForm["User:\nHello\n\nAssistant:\n".Length..], reply);
        string told = Generate([.. greedy, "--template", "turns", "--prompt", "Hello", "--system", "Be short."]);
        string toldInForm = Generate([.. greedy, "--prompt", "Be short.\n\nUser:\nHello\n\nAssistant:\n"]);
        Assert.EndsWith(told, toldInForm, StringComparison.Ordinal);
        AssertFails(
            "--chat: nothing says how this model writes them. Name a template with --template",
            "--chat",
            "--prompt",
            "a"
        );
    }

    [Fact]
    public void Mistakes_AreSaid()
    {
        AssertFails("--samples = 0 is outside [1, 10000]", "--samples", "0");
        AssertFails("--stop has an empty text", "--stop", "");
        AssertFails("--repetition-penalty = 0 is outside (0, 100]", "--repetition-penalty", "0");
        AssertFails("--system is a message of a conversation. Give --chat too", "--system", "x");
        AssertFails("--template = llama is none of turns, chatml, alpaca", "--template", "llama");
        AssertFails("--threads = 0 is outside [1, 4096]", "--threads", "0");
        AssertFails("'tpu' not recognized", "--device", "tpu");
    }

    [Fact]
    public void AnExport_HasAModelCard()
    {
        (int code, _, string error) = SalternProcess.Run(
            "export",
            workspace["teacher"],
            "--format",
            "hf",
            "--out",
            workspace["carded"]
        );
        Assert.True(code == 0, error);
        string card = File.ReadAllText(workspace["carded/README.md"]);
        Assert.Contains("| teacher | trained |", card, StringComparison.Ordinal);
        Assert.Contains("To be filled in by whoever publishes this model.", card, StringComparison.Ordinal);
    }

    private string Generate(params string[] options)
    {
        (int code, string output, string error) = SalternProcess.Run(["generate", workspace["teacher"], .. options]);
        Assert.True(code == 0, error);
        return output;
    }

    private void AssertFails(string message, params string[] options)
    {
        (int code, _, string error) = SalternProcess.Run(["generate", workspace["teacher"], .. options]);
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.NotEqual(0, code);
    }
}
