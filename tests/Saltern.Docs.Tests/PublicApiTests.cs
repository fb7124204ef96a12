using PublicApiGenerator;
using Saltern.Runs;

namespace Saltern.Docs.Tests;

// What others may build on is listed, so that a change of it is seen in a review. To accept one, see GeneratedPart.
public class PublicApiTests
{
    // One type of each assembly of the library.
    private static readonly Type[] Assemblies = [typeof(SalternException), typeof(TrainingRun)];

    [Fact]
    public void PublicSurfaceOfTheLibrary_IsTheOneListed() =>
        GeneratedPart.CheckFile("docs/public-api.txt", string.Join('\n', Assemblies.Select(Surface)));

    private static string Surface(Type type)
    {
        string name = type.Assembly.GetName().Name!;
        string api = type.Assembly.GeneratePublicApi(new ApiGeneratorOptions { IncludeAssemblyAttributes = false });
        return $"// {name}\n{api.ReplaceLineEndings("\n").TrimEnd('\n')}\n";
    }
}
