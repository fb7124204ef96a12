using Saltern.Studies;

namespace Saltern.Cli.Commands;

/// <summary>A recipe or study that lies beside the program.</summary>
/// <param name="Name">What <c>saltern recipe show</c> calls it.</param>
/// <param name="Purpose">What it is for.</param>
/// <param name="Cost">What it takes, and what to expect.</param>
/// <param name="Path">Where it is.</param>
public sealed record ShippedRecipe(string Name, string Purpose, string Cost, string Path)
{
    /// <summary>Whether it is a study: a grid of runs.</summary>
    public bool IsStudy => StudyPlan.IsStudy(Path);

    /// <summary>What it belongs to, as the list's headings say it.</summary>
    public string Group =>
        (IsStudy, Name.Split('-')[0]) switch
        {
            (true, _) => "studies: saltern study NAME",
            (_, "core") => "a student of 1.3M parameters, minutes each on two cores",
            (_, "next") => "a student of 3.5M parameters, half an hour each",
            (_, "finetune") => "fine-tuning: saltern finetune NAME",
            (_, "paper") => "the paper's sizes, to be priced: saltern plan NAME",
            _ => "what studies are made of",
        };

    private const string PurposeMark = "# Purpose: ";
    private const string CostMark = "# Cost: ";

    /// <summary>Where they lie.</summary>
    internal static string Folder => System.IO.Path.Combine(AppContext.BaseDirectory, "recipes");

    /// <summary>All of them, recipes before studies.</summary>
    public static IReadOnlyList<ShippedRecipe> All()
    {
        if (!Directory.Exists(Folder))
        {
            return [];
        }

        return
        [
            .. Directory
                .EnumerateFiles(Folder, "*.yaml", SearchOption.AllDirectories)
                .Select(path => System.IO.Path.GetRelativePath(Folder, path))
                .OrderBy(name => name.Contains(System.IO.Path.DirectorySeparatorChar, StringComparison.Ordinal))
                .ThenBy(name => name, StringComparer.Ordinal)
                .Select(name => Of(name, System.IO.Path.Combine(Folder, name))),
        ];
    }

    /// <summary>Path behind what a user wrote: a file, or the name of a shipped recipe with or without <c>.yaml</c>, a study's with or without its folder.</summary>
    /// <exception cref="ConfigurationException">There is neither.</exception>
    public static string Find(string name)
    {
        string shipped = System.IO.Path.Combine(Folder, name);
        string study = System.IO.Path.Combine(Folder, "studies", name);
        return new[] { name, shipped, shipped + ".yaml", study, study + ".yaml" }.FirstOrDefault(File.Exists)
            ?? throw new ConfigurationException(
                $"{name} is neither a file nor one of the recipes that ship: "
                    + $"{string.Join(", ", All().Select(recipe => recipe.Name))}."
            );
    }

    private static ShippedRecipe Of(string name, string path)
    {
        string[] head = [.. File.ReadLines(path).TakeWhile(line => line.StartsWith('#'))];
        string After(string mark) =>
            head.FirstOrDefault(line => line.StartsWith(mark, StringComparison.Ordinal))?[mark.Length..] ?? "";
        return new ShippedRecipe(System.IO.Path.ChangeExtension(name, null), After(PurposeMark), After(CostMark), path);
    }
}
