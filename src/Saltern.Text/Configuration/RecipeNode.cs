namespace Saltern.Configuration;

/// <summary>One value of a recipe before it has a type. Nodes never change, so that aliases can share them.</summary>
/// <param name="Place">Where the value begins.</param>
internal abstract record RecipeNode(RecipePlace Place)
{
    /// <summary>Number of nodes from here down with every alias written out.</summary>
    public virtual int Size => 1;

    /// <summary>Levels from here down, 1 for a scalar.</summary>
    public virtual int Height => 1;

    /// <summary>Whether it only takes keys back to their defaults, so that it is as good as absent.</summary>
    public virtual bool IsRemoval => false;

    /// <summary>What it is, in a message.</summary>
    public abstract string Kind { get; }
}

/// <summary>A single value.</summary>
/// <param name="Place">Where the value begins.</param>
/// <param name="Text">The text without quotes and escapes.</param>
/// <param name="IsPlain">Whether it stood without quotes, so that it may be a number, a truth value or null.</param>
internal sealed record RecipeScalar(RecipePlace Place, string Text, bool IsPlain) : RecipeNode(Place)
{
    public override string Kind => "text";
}

/// <summary>Values in order.</summary>
internal sealed record RecipeList(RecipePlace Place, IReadOnlyList<RecipeNode> Items) : RecipeNode(Place)
{
    public override int Size { get; } = 1 + Items.Sum(item => item.Size);

    public override int Height { get; } = 1 + Items.Select(item => item.Height).DefaultIfEmpty().Max();

    public override string Kind => "a list";
}

/// <summary>Values by key, in the order of the file.</summary>
internal sealed record RecipeMap(RecipePlace Place, OrderedDictionary<string, RecipeEntry> Entries) : RecipeNode(Place)
{
    public override int Size { get; } = 1 + Entries.Values.Sum(entry => entry.Value.Size);

    public override int Height { get; } = 1 + Entries.Values.Select(entry => entry.Value.Height).DefaultIfEmpty().Max();

    /// <summary>True of a section that exists only because <c>--set section.key=null</c> went through it.</summary>
    public override bool IsRemoval =>
        Entries.Count > 0 && Place.Order > 0 && Entries.Values.All(entry => entry.Value.IsRemoval);

    public override string Kind => "a map";

    /// <summary>The same map with one entry added or replaced.</summary>
    public RecipeMap With(string key, RecipeEntry entry)
    {
        var entries = new OrderedDictionary<string, RecipeEntry>(Entries) { [key] = entry };
        return new RecipeMap(Place, entries);
    }
}

/// <summary>Stands where <c>--set key=null</c> took a key away; kept so that the reader can still refuse an unknown key.</summary>
internal sealed record RemovedNode(RecipePlace Place) : RecipeNode(Place)
{
    public override bool IsRemoval => true;

    public override string Kind => "nothing";
}

/// <summary>A key's value and where the key itself stands.</summary>
internal sealed record RecipeEntry(RecipePlace KeyPlace, RecipeNode Value);
