using System.CommandLine;

namespace Saltern.Cli.Terminal;

/// <summary>A command with command lines that its help shows: a newcomer copies one and changes it.</summary>
internal sealed class Verb : Command
{
    /// <summary>Makes one.</summary>
    /// <param name="name">What the user writes.</param>
    /// <param name="examples">Whole command lines, from <c>saltern</c> on; a test parses every one.</param>
    public Verb(string name, string description, IReadOnlyList<string> examples)
        : base(name, description) => Examples = examples;

    /// <summary>Whole command lines, from <c>saltern</c> on.</summary>
    public IReadOnlyList<string> Examples { get; }
}
