namespace Saltern.Docs.Tests;

/// <summary>A part of a page that is made from the code, between two comments that name it; or a whole file.</summary>
internal static class GeneratedPart
{
    /// <summary>Set to 1, tests write what they would have compared with.</summary>
    public const string AcceptVariable = "SALTERN_ACCEPT";

    private static bool Accepts => Environment.GetEnvironmentVariable(AcceptVariable) == "1";

    /// <summary>Compares the part of a page with what the code gives now, or writes it.</summary>
    public static void Check(string page, string name, string expected)
    {
        string path = Repository.At(page);
        string text = File.ReadAllText(path);
        string begin = $"<!-- made from the code: {name} -->\n";
        string end = $"<!-- end of {name} -->";
        int first = text.IndexOf(begin, StringComparison.Ordinal) + begin.Length;
        int last = text.IndexOf(end, StringComparison.Ordinal);
        Assert.True(first >= begin.Length && last >= first, $"{page} lacks the comments '{begin.Trim()}' and '{end}'.");
        Compare(page, text, text[..first] + expected.TrimEnd('\n') + "\n" + text[last..]);
    }

    /// <summary>Compares a whole file with what the code gives now, or writes it.</summary>
    public static void CheckFile(string file, string expected) =>
        Compare(file, File.Exists(Repository.At(file)) ? File.ReadAllText(Repository.At(file)) : "", expected);

    private static void Compare(string file, string found, string expected)
    {
        if (found == expected)
        {
            return;
        }

        if (Accepts)
        {
            File.WriteAllText(Repository.At(file), expected);
            return;
        }

        string[] old = found.Split('\n');
        string[] now = expected.Split('\n');
        int differs = Enumerable
            .Range(0, Math.Max(old.Length, now.Length))
            .First(i => old.ElementAtOrDefault(i) != now.ElementAtOrDefault(i));
        const string Accept =
            $"run the tests once with {AcceptVariable}=1, read the difference in git, and commit the file";
        Assert.Fail(
            $"""
            {file}:{differs + 1} is not what the code gives.
              the file has: {old.ElementAtOrDefault(differs) ?? "(its end)"}
              the code has: {now.ElementAtOrDefault(differs) ?? "(its end)"}
            If the change is meant, {Accept} with the change.
            """
        );
    }
}
