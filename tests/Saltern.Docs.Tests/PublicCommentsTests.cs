using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Saltern.Docs.Tests;

// The compiler's CS1573 for what is public: where a comment describes one parameter, it describes all.
public class PublicCommentsTests
{
    [Fact]
    public void ParametersOfPublicMembers_AreDescribedAllOrNone()
    {
        string[] missing =
        [
            .. new[] { "src/Saltern.Text", "src/Saltern" }
                .SelectMany(folder =>
                    Directory.EnumerateFiles(Repository.At(folder), "*.cs", SearchOption.AllDirectories)
                )
                .Where(file => !file.Contains("/obj/", StringComparison.Ordinal))
                .SelectMany(file => Missing(File.ReadAllText(file)).Select(name => $"{file}: {name}")),
        ];
        Assert.True(missing.Length == 0, "Without a text:\n" + string.Join('\n', missing));
    }

    [Theory]
    [InlineData("/// <param name=\"a\">Its unit.</param>\npublic void M(int a, int b) { }", "M(b)")]
    [InlineData(
        "/// <param name=\"a\">Its unit.</param>\n/// <param name=\"b\">Its range.</param>\npublic void M(int a, int b) { }"
    )]
    [InlineData("/// <summary>All is said.</summary>\npublic void M(int a, int b) { }")]
    [InlineData("/// <param name=\"a\">Its unit.</param>\ninternal void M(int a, int b) { }")]
    public void AForgottenParameter_IsNamed(string member, string? missing = null) =>
        Assert.Equal(missing is null ? [] : [missing], Missing($"public class C\n{{\n{member}\n}}"));

    private static IEnumerable<string> Missing(string code)
    {
        SyntaxNode root = CSharpSyntaxTree
            .ParseText(code, new CSharpParseOptions(LanguageVersion.Preview, DocumentationMode.Parse))
            .GetRoot();
        foreach (MemberDeclarationSyntax member in root.DescendantNodes().OfType<MemberDeclarationSyntax>())
        {
            if (ParametersOf(member) is not { Parameters.Count: > 0 } list || !IsPublic(member))
            {
                continue;
            }

            HashSet<string> described =
            [
                .. member
                    .GetLeadingTrivia()
                    .Select(trivia => trivia.GetStructure())
                    .OfType<DocumentationCommentTriviaSyntax>()
                    .SelectMany(comment => comment.DescendantNodes().OfType<XmlNameAttributeSyntax>())
                    .Select(name => name.Identifier.Identifier.ValueText),
            ];
            string[] names = [.. list.Parameters.Select(parameter => parameter.Identifier.ValueText)];
            if (!names.Any(described.Contains))
            {
                continue;
            }

            foreach (string name in names.Where(name => !described.Contains(name)))
            {
                yield return $"{NameOf(member)}({name})";
            }
        }
    }

    private static ParameterListSyntax? ParametersOf(MemberDeclarationSyntax member) =>
        member switch
        {
            BaseMethodDeclarationSyntax method => method.ParameterList,
            RecordDeclarationSyntax record => record.ParameterList,
            _ => null,
        };

    private static string NameOf(MemberDeclarationSyntax member) =>
        member switch
        {
            MethodDeclarationSyntax method => method.Identifier.ValueText,
            BaseTypeDeclarationSyntax type => type.Identifier.ValueText,
            _ => "constructor",
        };

    // So are all types around it.
    private static bool IsPublic(MemberDeclarationSyntax member) =>
        member
            .AncestorsAndSelf()
            .OfType<MemberDeclarationSyntax>()
            .Where(node => node is not BaseNamespaceDeclarationSyntax)
            .All(node =>
                node.Modifiers.Any(SyntaxKind.PublicKeyword) || node.Modifiers.Any(SyntaxKind.ProtectedKeyword)
            );
}
