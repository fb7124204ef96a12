using System.Text;
using System.Text.RegularExpressions;

namespace Saltern.Docs.Tests;

// The two assemblies are a border that the compiler keeps; within each, no folder may need one that needs it. A folder's needs are its using lines,
// which the build keeps exact (IDE0005 is an error), and names written out in full.
public partial class LayerTests
{
    private static readonly string[] Assemblies = ["src/Saltern.Text", "src/Saltern"];

    [Fact]
    public void Folders_NeedNoneThatNeedsThem_AndThePageListsThem()
    {
        Dictionary<string, SortedSet<string>> needs = Needs(Assemblies);
        Assert.True(needs.Count > 20, "The folders were not found.");
        List<string> order = Order(needs, out string[] circle);
        Assert.True(circle.Length == 0, "Folders that need each other: " + string.Join(", ", circle));

        var table = new StringBuilder("| folder | uses |\n| --- | --- |\n");
        foreach (string folder in order)
        {
            string uses =
                needs[folder].Count == 0 ? "none of the others" : string.Join(", ", needs[folder].Select(Code));
            table.Append(null, $"| {Code(folder)} | {uses} |\n");
        }

        GeneratedPart.Check("docs/architecture.md", "folders", table.ToString());
    }

    [Fact]
    public void SalternText_NamesNoTensorLibrary()
    {
        string[] found =
        [
            .. Sources("src/Saltern.Text")
                .Where(file => File.ReadAllText(file).Contains("TorchSharp;", StringComparison.Ordinal))
                .Append(Repository.At("src/Saltern.Text/Saltern.Text.csproj"))
                .Where(file => File.ReadAllText(file).Contains("TorchSharp", StringComparison.Ordinal)),
        ];
        Assert.Empty(found);
    }

    [Fact]
    public void ACircle_IsFound()
    {
        Dictionary<string, SortedSet<string>> needs = new()
        {
            ["A"] = ["B"],
            ["B"] = ["C"],
            ["C"] = ["B"],
            ["D"] = [],
        };
        Assert.Equal(["D"], Order(needs, out string[] circle));
        Assert.Equal(["A", "B", "C"], circle);
    }

    // Folders in an order in which each comes after what it needs; what is left over sits on a circle or needs one that does.
    private static List<string> Order(Dictionary<string, SortedSet<string>> needs, out string[] circle)
    {
        List<string> order = [];
        SortedSet<string> left = [.. needs.Keys];
        while (left.Count > 0)
        {
            string[] free = [.. left.Where(folder => !needs[folder].Overlaps(left))];
            if (free.Length == 0)
            {
                break;
            }

            order.AddRange(free);
            left.ExceptWith(free);
        }

        circle = [.. left];
        return order;
    }

    private static Dictionary<string, SortedSet<string>> Needs(IEnumerable<string> roots)
    {
        Dictionary<string, SortedSet<string>> needs = [];
        foreach (string root in roots)
        {
            foreach (string file in Sources(root))
            {
                string folder = Path.GetRelativePath(Repository.At(root), Path.GetDirectoryName(file)!);
                if (folder == ".")
                {
                    continue;
                }

                needs.TryAdd(folder, new SortedSet<string>(StringComparer.Ordinal));
                foreach (Match match in NamedFolder().Matches(File.ReadAllText(file)))
                {
                    needs[folder].Add(match.Groups[1].Value);
                }
            }
        }

        foreach ((string folder, SortedSet<string> uses) in needs)
        {
            uses.Remove(folder);
            uses.IntersectWith(needs.Keys);
        }

        return needs;
    }

    private static IEnumerable<string> Sources(string root) =>
        Directory
            .EnumerateFiles(Repository.At(root), "*.cs", SearchOption.AllDirectories)
            .Where(file =>
                !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/bin/", StringComparison.Ordinal)
            );

    private static string Code(string name) => $"`{name}`";

    [GeneratedRegex(@"(?<![\w.])Saltern\.(\w+)[;.]")]
    private static partial Regex NamedFolder();
}
