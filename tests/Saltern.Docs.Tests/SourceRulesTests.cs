namespace Saltern.Docs.Tests;

// CONTRIBUTING.md, "Lines": what formatter and analyzers do not hold.
public class SourceRulesTests
{
    private const double MostTernariesPerThousand = 15;
    private const double MostMethodsOfManyParameters = 0.02;

    private static readonly SourceRules[] Library = Read("src");

    [Fact]
    public void NoLine_IsTooWideOrHoldsTooMuch()
    {
        string[] broken =
        [
            .. Library
                .Concat(Read("tests"))
                .Concat(Read("samples"))
                .Concat(Read("benchmarks"))
                .SelectMany(file => file.Broken),
        ];
        Assert.True(broken.Length == 0, string.Join('\n', broken));
    }

    [Fact]
    public void ConditionalOperators_AreFew()
    {
        double perThousand = 1000.0 * Library.Sum(file => file.TernaryLines) / Library.Sum(file => file.CodeLines);
        Assert.True(
            perThousand <= MostTernariesPerThousand,
            $"{perThousand:0.0} lines of 1,000 hold a conditional operator, at most {MostTernariesPerThousand} should. "
                + "Write a choice as statements."
        );
    }

    [Fact]
    public void MethodsOfSevenParameters_AreFew()
    {
        double share = (double)Library.Sum(file => file.ManyParameters) / Library.Sum(file => file.Methods);
        Assert.True(share <= MostMethodsOfManyParameters, $"{share:P1} of the methods have seven or more parameters.");
    }

    [Theory]
    [InlineData("class C { int M(bool a, bool b) => a ? 1 : b ? 2 : 3; }", "nested ternary")]
    [InlineData("class C { int M(bool a) => a ? 1 : throw new System.Exception(); }", "throw in a ternary")]
    [InlineData("class C { void M() { int a = 1, b = 2; } }", "2 declarations in one statement")]
    [InlineData("class C { int a, b; }", "2 declarations in one statement")]
    public void ABrokenRule_IsNamed(string code, string what)
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, code);
            Assert.Equal([$"{file}(1): {what}"], SourceRules.Read(file).Broken);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void ALineTooWide_IsNamed_AndACommentIsNot()
    {
        string file = Path.GetTempFileName();
        try
        {
            string wide = new('x', SourceRules.WidestLine);
            File.WriteAllText(file, $"class C {{ string s = \"{wide}\"; }}\n// {wide}\n");
            Assert.EndsWith("columns", Assert.Single(SourceRules.Read(file).Broken), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static SourceRules[] Read(string folder) =>
        [
            .. Directory
                .EnumerateFiles(Repository.At(folder), "*.cs", SearchOption.AllDirectories)
                .Where(file =>
                    !file.Contains("/obj/", StringComparison.Ordinal)
                    && !file.Contains("/bin/", StringComparison.Ordinal)
                )
                .Order(StringComparer.Ordinal)
                .Select(SourceRules.Read),
        ];
}
