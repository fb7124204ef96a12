using System.Text;
using Saltern.Batches;
using TorchSharp;

namespace Saltern.Tests.Batches;

// Prints one sample of each objective, and holds docs/objectives.md to what is printed.
public class ObjectiveExamplesTests(ITestOutputHelper output)
{
    private const string Text = "small models teach large ones while they are young";

    [Fact]
    public void Examples_AreThoseOfTheDocumentation()
    {
        using var text = new SampleShard([Text]);
        var lines = new StringBuilder();
        foreach (
            ObjectiveConfig objective in new[]
            {
                new ObjectiveConfig { Causal = 1 },
                new ObjectiveConfig { Prefix = 1, Seed = 2 },
                new ObjectiveConfig { Span = 1, SpanDensity = 0.2 },
            }
        )
        {
            SampleReader reader = text.Reader(new DataConfig { Path = "unused", SequenceLength = 36 }, objective);
            Describe(text, reader, lines);
        }

        string printed = lines.ToString().TrimEnd();
        output.WriteLine(printed);
        string documentation = File.ReadAllText(Path.Combine(Root(), "docs", "objectives.md"));
        Assert.Contains(printed, documentation.ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    private static void Describe(SampleShard text, SampleReader reader, StringBuilder lines)
    {
        Batch sample = SampleShard.Sample(reader, 0);
        using torch.Tensor inputs = sample.Inputs([0]);
        long[] ids = inputs.data<long>().ToArray();
        long[] labels = sample.Labels([0]);
        int free = sample.HasRanges ? sample.Ranges([0]).End[0] : 1;
        lines.Append($"    {reader.KindOf(0, 0).ToString().ToLowerInvariant()}\n");
        lines.Append($"      sees     {Show(text, ids)}\n");
        lines.Append($"      predicts {Show(text, labels.Where(label => label >= 0))}\n");
        lines.Append(
            $"      free     {(free > 1 ? $"the first {free} tokens see one another" : "nothing: every token sees those before it")}\n"
        );
        lines.Append($"      counts   {labels.Count(label => label >= 0)} of {ids.Length} positions\n\n");
    }

    private static string Show(SampleShard text, IEnumerable<long> ids) =>
        text
            .Tokenizer.Decode([.. ids.Select(id => (int)id)])
            .Replace("extra_id_", "", StringComparison.Ordinal)
            .Replace("<|endoftext|>", "<end>", StringComparison.Ordinal)
            .Replace(' ', '_');

    private static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Saltern.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new DirectoryNotFoundException("Saltern.slnx was not found above the tests.");
    }
}
