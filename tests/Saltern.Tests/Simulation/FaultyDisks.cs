using Saltern.Files;

namespace Saltern.Tests.Simulation;

/// <summary>A planted defect: names are not brought to the disk.</summary>
internal sealed class NoFolderFlush(string root) : SimulatedDisk(root)
{
    public override void FlushFolder(string folder) { }
}

/// <summary>A planted defect: a file has its final name before its bytes are on the disk.</summary>
internal sealed class RenameBeforeFlush(string root) : SimulatedDisk(root)
{
    private readonly Dictionary<string, StoredFile> _waiting = new(StringComparer.Ordinal);

    public override void FlushFile(string path, StoredFile stored)
    {
        if (path.EndsWith(WholeFile.TemporaryEnding, StringComparison.Ordinal))
        {
            _waiting[path] = stored;
            return;
        }

        base.FlushFile(path, stored);
    }

    public override void Rename(string from, string to, bool replaces = true)
    {
        base.Rename(from, to, replaces);
        if (_waiting.Remove(from, out StoredFile? stored))
        {
            base.FlushFile(to, stored);
        }
    }
}
