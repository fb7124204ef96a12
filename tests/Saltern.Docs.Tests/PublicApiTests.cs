using PublicApiGenerator;

namespace Saltern.Docs.Tests;

// What others may build on is listed, so that a change of it is seen in a review. To accept one, see GeneratedPart.
public class PublicApiTests
{
    [Fact]
    public void PublicSurfaceOfTheLibrary_IsTheOneListed() =>
        GeneratedPart.CheckFile(
            "docs/public-api.txt",
            typeof(SalternException)
                .Assembly.GeneratePublicApi(new ApiGeneratorOptions { IncludeAssemblyAttributes = false })
                .ReplaceLineEndings("\n")
                .TrimEnd('\n') + "\n"
        );
}
