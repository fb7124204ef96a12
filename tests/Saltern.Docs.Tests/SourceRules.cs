using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Saltern.Docs.Tests;

/// <summary>What a source file has of the things that CONTRIBUTING.md's rules for lines are about.</summary>
internal sealed record SourceRules(string Path)
{
    public const int WidestLine = 140;

    public int CodeLines { get; private init; }

    /// <summary>Lines on which a conditional operator begins.</summary>
    public int TernaryLines { get; private init; }

    /// <summary>Methods and constructors, and how many of them have seven or more parameters.</summary>
    public int Methods { get; private init; }

    public int ManyParameters { get; private init; }

    /// <summary>Each broken rule as <c>path(line): what</c>.</summary>
    public required IReadOnlyList<string> Broken { get; init; }

    public static SourceRules Read(string path)
    {
        SyntaxTree tree = CSharpSyntaxTree.ParseText(
            File.ReadAllText(path),
            new CSharpParseOptions(LanguageVersion.Preview)
        );
        SyntaxNode root = tree.GetRoot();
        string[] lines = File.ReadAllLines(path);
        HashSet<int> code = [.. root.DescendantTokens().SelectMany(token => Lines(token.GetLocation()))];
        List<string> broken = [];
        foreach (int line in code.Where(line => lines[line].Length > WidestLine).Order())
        {
            broken.Add($"{path}({line + 1}): {lines[line].Length} columns");
        }

        ConditionalExpressionSyntax[] ternaries = [.. root.DescendantNodes().OfType<ConditionalExpressionSyntax>()];
        foreach (ConditionalExpressionSyntax ternary in ternaries)
        {
            if (ternary.WhenTrue is ThrowExpressionSyntax || ternary.WhenFalse is ThrowExpressionSyntax)
            {
                broken.Add($"{path}({LineOf(ternary)}): throw in a ternary");
            }

            if (ternary.Ancestors().TakeWhile(IsExpressionPart).Any(node => node is ConditionalExpressionSyntax))
            {
                broken.Add($"{path}({LineOf(ternary)}): nested ternary");
            }
        }

        foreach (VariableDeclarationSyntax declaration in root.DescendantNodes().OfType<VariableDeclarationSyntax>())
        {
            // A loop's own bounds belong together.
            if (declaration.Variables.Count > 1 && declaration.Parent is not ForStatementSyntax)
            {
                broken.Add(
                    $"{path}({LineOf(declaration)}): {declaration.Variables.Count} declarations in one statement"
                );
            }
        }

        BaseMethodDeclarationSyntax[] methods = [.. root.DescendantNodes().OfType<BaseMethodDeclarationSyntax>()];
        return new SourceRules(path)
        {
            CodeLines = code.Count,
            TernaryLines = ternaries.Select(LineOf).Distinct().Count(),
            Methods = methods.Length,
            ManyParameters = methods.Count(method => method.ParameterList.Parameters.Count >= 7),
            Broken = broken,
        };
    }

    // A ternary inside a lambda's block or another statement is a thought of its own; one within the same expression is nested.
    private static bool IsExpressionPart(SyntaxNode node) =>
        node is not (StatementSyntax or MemberDeclarationSyntax or AnonymousFunctionExpressionSyntax);

    private static int LineOf(SyntaxNode node) => node.GetLocation().GetLineSpan().StartLinePosition.Line + 1;

    private static IEnumerable<int> Lines(Location location)
    {
        FileLinePositionSpan span = location.GetLineSpan();
        return Enumerable.Range(
            span.StartLinePosition.Line,
            span.EndLinePosition.Line - span.StartLinePosition.Line + (location.SourceSpan.IsEmpty ? 0 : 1)
        );
    }
}
