namespace Saltern.Tests.Simulation;

/// <summary>One folder of a simulated disk: names, each of a <see cref="StoredFile"/> or a folder.</summary>
internal sealed class StoredFolder
{
    /// <summary>What programs see.</summary>
    public Dictionary<string, object> Shown { get; } = new(StringComparer.Ordinal);

    /// <summary>What was on the disk when it was last looked at: the changes since then are the disk's.</summary>
    public Dictionary<string, object> OnDisk { get; } = new(StringComparer.Ordinal);
}

/// <summary>A name that was given, taken away or moved: what a file system may have written of it or not when the power goes.</summary>
/// <param name="Item">What has the name; of a removal, what had it.</param>
/// <param name="From">Folder that had it; null of a new one.</param>
/// <param name="To">Folder that has it now; null of a removal.</param>
internal sealed record NameChange(object Item, StoredFolder? From, string OldName, StoredFolder? To, string NewName)
{
    private bool _isGone;
    private bool _isNamed;

    /// <summary>Whether all of it is on the disk for certain.</summary>
    public bool IsFlushed => (From is null || _isGone) && (To is null || _isNamed);

    /// <summary>Whether any of it is.</summary>
    public bool IsPartlyFlushed => _isGone || _isNamed;

    /// <summary>Notes that a folder was brought to the disk.</summary>
    public void Flush(StoredFolder folder)
    {
        _isGone |= ReferenceEquals(From, folder);
        _isNamed |= ReferenceEquals(To, folder);
    }

    /// <summary>Does it on the disk.</summary>
    /// <param name="keepsOldName">Whether a rename stopped half way, with both names.</param>
    public void Write(bool keepsOldName)
    {
        if (To is not null)
        {
            To.OnDisk[NewName] = Item;
        }

        bool removes = From is not null && (To is null || _isGone || !keepsOldName || Item is StoredFolder);
        if (removes && ReferenceEquals(From!.OnDisk.GetValueOrDefault(OldName), Item))
        {
            From.OnDisk.Remove(OldName);
        }
    }
}
