using Saltern.Export;
using Saltern.ModelFiles;
using Saltern.Tests.Tokenization;
using Saltern.Tokenization;

namespace Saltern.Tests.Export;

/// <summary>All files that the tests want llama.cpp to run, exported and run once: a process of Node with its libraries takes longer to start than a small model to run.</summary>
public sealed class GgufRuntimeRuns : IDisposable
{
    internal const int Added = 24;
    private const int Neighbours = 6;
    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<string, GgufJob> _jobs = [];
    private readonly Lazy<Dictionary<string, GgufRuntime>> _results;

    public GgufRuntimeRuns() => _results = new(RunAll);

    /// <summary>Token that begins texts, of <see cref="OfBegin"/>.</summary>
    internal int Begin { get; private set; }

    internal static string OfBegin => "begin";

    public void Dispose() => _folder.Dispose();

    internal static string OfModel(string name, WeightType type) => $"{name}-{WeightTypes.NameOf(type)}";

    internal static string OfForm(string form) => $"form-{form}";

    internal static string OfPattern(SplitPattern pattern) => $"pattern-{pattern}";

    /// <summary>The exported model's folder, what was asked and what came of it; skips the test where Node or the packages cannot be had.</summary>
    internal (string Model, GgufJob Job, GgufRuntime Result) Of(string run)
    {
        GgufRuntime result = _results.Value[run];
        return (_folder[run + "/model"], _jobs[run], result);
    }

    private Dictionary<string, GgufRuntime> RunAll()
    {
        _ = NodePackages.Folder();
        foreach ((string name, Enum stored, double _) in GgufRuntimeTests.Cases.Select(row => row.Data))
        {
            var type = (WeightType)stored;
            string at = OfModel(name, type);
            ExportedModel.Write(_folder, name, at: at + "/model");
            BpeTokenizer tokenizer = BpeTokenizer.Load(_folder[at + "/model/tokenizer.json"]);
            Add(
                at,
                type,
                [],
                [
                    [7],
                    tokenizer.Encode("All human beings"),
                    [.. tokenizer.Encode(SampleTexts.Oddities[0]).Take(16)],
                ],
                Added
            );
        }

        foreach (SplitPattern pattern in Enum.GetValues<SplitPattern>())
        {
            // Each alone, and each with the next few. U+017F is a form of s to a regular expression without case ('ſ as 's), and none to llama.cpp.
            ExportedModel.Write(_folder, "llama", pattern, OfPattern(pattern) + "/model");
            string[] all = [.. SampleTexts.All];
            Add(
                OfPattern(pattern),
                WeightType.F32,
                [
                    .. all.Concat(
                            all.SelectMany(
                                (first, i) =>
                                    Enumerable.Range(1, Neighbours).Select(next => first + all[(i + next) % all.Length])
                            )
                        )
                        .Where(text =>
                            pattern == SplitPattern.Gpt2 || !text.Contains("'\u017F", StringComparison.Ordinal)
                        ),
                ],
                [],
                0
            );
        }

        foreach (string form in GgufRuntimeTests.Forms.Select(row => row.Data))
        {
            AddForm(form);
        }

        ExportedModel.Write(_folder, "llama-tied-padded", SplitPattern.Qwen2, OfBegin + "/model");
        Begin = ExportedModel.AddBegin(_folder, OfBegin + "/model");
        Add(OfBegin, WeightType.F32, ["a<s>b"], [], 0);
        return _jobs.Keys.Zip(GgufRuntime.Run(_jobs.Values)).ToDictionary(pair => pair.First, pair => pair.Second);
    }

    private void AddForm(string form)
    {
        string path = _folder[$"{form}.json"];
        File.WriteAllText(path, GgufForms.Tokenizer(form).ToJsonString());
        BpeTokenizer tokenizer = BpeTokenizer.Load(path);
        ExportedModel.Write(_folder, "llama", tokenizer, OfForm(form) + "/model");
        string[] all = [.. SampleTexts.All, .. SampleTexts.FurtherScripts, .. SampleTexts.Blanks()];
        Add(
            OfForm(form),
            WeightType.F32,
            [
                .. all.Concat(all.Select((first, i) => first + all[(i + 1) % all.Length]))
                    .Where(text => GgufForms.IsTheSame(form, text)),
            ],
            [tokenizer.Encode("All human beings"), [.. tokenizer.Encode(SampleTexts.Oddities[0]).Take(16)]],
            Added
        );
    }

    private void Add(string at, WeightType type, IReadOnlyList<string> texts, IReadOnlyList<int[]> prompts, int added)
    {
        string file = _folder[at + "/model.gguf"];
        ModelExport.Run(
            _folder[at + "/model"],
            file,
            new ExportOptions { Format = ExportFormat.Gguf, Type = type },
            null,
            TestContext.Current.CancellationToken
        );
        _jobs.Add(at, new GgufJob(file, texts, prompts, added));
    }
}
