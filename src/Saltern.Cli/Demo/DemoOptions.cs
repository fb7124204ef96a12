namespace Saltern.Cli.Demo;

/// <summary>What a user says of a demonstration.</summary>
internal sealed record DemoOptions
{
    /// <summary>New folder for everything that is made.</summary>
    public required string Folder { get; init; }

    /// <summary>The user's own text; empty for the default.</summary>
    public IReadOnlyList<string> TextPaths { get; init; } = [];

    /// <summary>Decides initial weights and order of samples.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Minutes to plan for by a measurement; null where the steps are given.</summary>
    public double? Minutes { get; init; }

    /// <summary>Whether to say what was set and measured.</summary>
    public bool Verbose { get; init; }
}
