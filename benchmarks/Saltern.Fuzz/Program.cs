// Readers of files from outside, with changed inputs that the code they reach chooses. `just fuzz READER --minutes N`.
using System.Globalization;
using Saltern.Fuzz;

if (args is ["instrument", .. var assemblies])
{
    foreach (string assembly in assemblies)
    {
        SharpFuzz.Fuzzer.Instrument(assembly, _ => true, SharpFuzz.Options.Value);
    }

    return 0;
}

EdgeMap.Prepare();
string name = args.FirstOrDefault() ?? "";
using Readers readers = new();
if (name != "all" && !readers.Names.Contains(name))
{
    Console.Error.WriteLine(
        "usage: just fuzz READER [--minutes N] [--seed N] [--corpus FOLDER] [--replay FILE]"
            + $"{Environment.NewLine}READER is all or one of {string.Join(", ", readers.Names)}."
    );
    return 2;
}

double minutes = double.Parse(Option("--minutes") ?? "1", CultureInfo.InvariantCulture);
int seed = int.Parse(Option("--seed") ?? "1", CultureInfo.InvariantCulture);
string corpus = Option("--corpus") ?? Path.Combine("artifacts", "fuzz");
int findings = 0;
foreach (string each in readers.Names.Where(each => name == "all" || each == name))
{
    Campaign campaign = new(readers[each], Path.Combine(corpus, each), seed);
    if (Option("--replay") is { } file)
    {
        Directory.CreateDirectory(Path.Combine(corpus, each, "findings"));
        findings += Convert.ToInt32(campaign.Replay(File.ReadAllBytes(file)));
    }
    else
    {
        findings += campaign.Run(TimeSpan.FromMinutes(minutes));
    }
}

return findings == 0 ? 0 : 1;

string? Option(string option)
{
    int at = Array.IndexOf(args, option);
    return at >= 0 && at + 1 < args.Length ? args[at + 1] : null;
}
