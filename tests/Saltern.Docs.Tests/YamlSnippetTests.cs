using System.Text.RegularExpressions;
using Saltern.Configuration;
using Saltern.Evaluation;
using Saltern.FineTuning;
using Saltern.Planning;
using Saltern.Runs;
using Saltern.Studies;

namespace Saltern.Docs.Tests;

// Every piece of YAML that a page shows is read by the reader that would read it from a file.
public partial class YamlSnippetTests
{
    // What a piece of a recipe may leave out because it is about something else.
    private static readonly (string Key, string Text)[] Rest =
    [
        ("name", "name: piece"),
        ("data", "data: { path: data/core }"),
        ("model", "model: { preset: 1.3m }"),
        ("training", "training: { steps: 1000, batch_sequences: 16 }"),
    ];

    public static TheoryData<string> Pages => [.. Repository.Pages];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Pieces_AreRead(string page)
    {
        foreach (MarkdownBlock block in MarkdownBlock.Of(page).Where(IsYaml))
        {
            try
            {
                Read(block);
            }
            catch (ConfigurationException e)
            {
                Assert.Fail($"{block.Place}: {e.Message}");
            }
        }
    }

    [Fact]
    public void Pieces_AreFound() => Assert.True(MarkdownBlock.All().Count(IsYaml) >= 10);

    [Theory]
    [InlineData("distillation: { wieght: 0.5 }")]
    [InlineData("name: x\ndata: { path: d }\nmodel: { preset: 1.3m }\ntraining: { stepps: 3 }")]
    [InlineData("name: x\nbase: recipes/core-baseline.yaml\nbaseline: A\narms: { B: {} }")]
    [InlineData("name: x\npeak_flops: fast")]
    [InlineData("task: x\nkind: choice\nreadings: [{ prompt: a }]")]
    public void WrongPieces_AreNoticed(string yaml) =>
        Assert.Throws<ConfigurationException>(() => Read(new MarkdownBlock("page", 1, "yaml", yaml)));

    private static bool IsYaml(MarkdownBlock block) =>
        block.Language is "yaml" or "yml" || (block.Language.Length == 0 && FirstKey().IsMatch(block.Text));

    private static void Read(MarkdownBlock block)
    {
        string[] keys =
        [
            .. block
                .Text.Split('\n')
                .Select(line => FirstKey().Match(line))
                .Where(match => match.Success)
                .Select(match => match.Groups[1].Value),
        ];
        if (keys.Contains("arms"))
        {
            // The base recipe is looked for beside the study, so the study lies among the recipes.
            string path = Repository.At($"recipes/studies/{Guid.NewGuid():N}.yaml");
            File.WriteAllText(path, block.Text);
            try
            {
                StudyPlan.Read(path, []);
            }
            finally
            {
                File.Delete(path);
            }
        }
        else if (keys.Contains("peak_flops"))
        {
            RecipeReader.Parse<ClusterConfig>(block.Text, block.Place, []);
        }
        else if (keys.Contains("group"))
        {
            RecipeReader.Parse<TaskGroup>(block.Text, block.Place, []);
        }
        else if (keys.Contains("task"))
        {
            RecipeReader.Parse<TaskDefinition>(block.Text, block.Place, []);
        }
        else if (block.Text.Contains("epochs:", StringComparison.Ordinal) && keys.Contains("init_from"))
        {
            RecipeReader.Parse<FineTuneConfig>(block.Text, block.Place, []);
        }
        else
        {
            // Lines with one key each time are alternatives to one another.
            string[] pieces = keys.Distinct().Count() < keys.Length ? block.Text.Split('\n') : [block.Text];
            foreach (string piece in pieces.Where(piece => piece.Length > 0))
            {
                ReadPiece(piece, keys, block.Place);
            }
        }
    }

    private static void ReadPiece(string piece, string[] keys, string place)
    {
        string rest = string.Join('\n', Rest.Where(part => !keys.Contains(part.Key)).Select(part => part.Text));
        try
        {
            RecipeReader.Parse<RunConfig>($"{piece}\n{rest}", place, []);
        }
        catch (ConfigurationException) when (keys.Any(key => key is "teacher" or "selection") && !keys.Contains("name"))
        {
            // A piece about the teacher takes the rest of its stage for granted.
            string stage =
                (keys.Contains("teacher") ? "" : "teacher: { path: runs/teacher }\n")
                + (keys.Contains("distillation") ? "" : "distillation: { transition: auto }\n");
            RecipeReader.Parse<RunConfig>($"{piece}\n{stage}{rest}", place, []);
        }
    }

    // A key at the margin with a blank or nothing behind its colon; sentences in blocks have more words before one.
    [GeneratedRegex("^([a-z][a-z0-9_]*):(?: |$)")]
    private static partial Regex FirstKey();
}
