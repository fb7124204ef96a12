using Saltern.Files;

namespace Saltern.Tests.Simulation;

/// <summary>A disk that a seed drives: real files in a folder of its own, a model of what of them is on the disk for certain, and one fault at one call.</summary>
/// <remarks>
/// What it takes for granted is what POSIX promises and no more: a flush of a file keeps its bytes, a flush of a folder its names; a rename within a folder happens wholly or not at all, but may leave both
/// names; anything else may be lost, in any order or, as with a journal, from some point on.
/// </remarks>
internal class SimulatedDisk : Disk
{
    private const int DescriptorsFail = 3; // calls that fail before others have closed files
    private static readonly DateTime[] Clocks =
    [
        new(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc),
        new(2026, 12, 1, 0, 0, 0, DateTimeKind.Utc),
        new(2038, 1, 20, 0, 0, 0, DateTimeKind.Utc),
    ];

    private readonly string _root;
    private readonly Lock _lock = new();
    private readonly List<SimulatedFile> _open = [];
    private readonly List<NameChange> _changes = [];
    private StoredFolder _shown = new();
    private Random _random = new(0);
    private Fault? _fault;
    private int _failing;
    private bool _isLate;

    public SimulatedDisk(string root) => _root = Path.GetFullPath(root);

    /// <summary>Calls so far in this process.</summary>
    public int Calls { get; private set; }

    /// <summary>Whether the fault has struck.</summary>
    public bool HasStruck { get; private set; }

    /// <summary>Whether the process is over.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Whether a read has failed: a file may then have been taken for damaged that is not.</summary>
    public bool HasFailedToRead { get; private set; }

    /// <summary>The last calls, for a report.</summary>
    public Queue<string> Trace { get; } = new();

    /// <summary>Numbers of the calls that gave something a new name.</summary>
    public List<int> Renames { get; } = [];

    public override TimeProvider Clock { get; } = new StoppedClock();

    /// <summary>Empties the disk.</summary>
    public void Format()
    {
        if (Directory.Exists(_root))
        {
            Directory.Delete(_root, recursive: true);
        }

        Directory.CreateDirectory(_root);
        _shown = new();
        _changes.Clear();
        HasFailedToRead = false;
    }

    /// <summary>Puts a file there that has been there for long.</summary>
    public void Place(string path, byte[] content)
    {
        File.WriteAllBytes(path, content);
        var file = new StoredFile(content, isFlushed: true);
        FolderOf(path).Shown[Path.GetFileName(path)] = file;
        FolderOf(path).OnDisk[Path.GetFileName(path)] = file;
    }

    /// <summary>Begins a process.</summary>
    public void Start(Random random, Fault? fault)
    {
        (_random, _fault, Calls, _failing) = (random, fault, 0, 0);
        (HasStruck, HasEnded, _isLate) = (false, false, false);
        Trace.Clear();
        Renames.Clear();
    }

    /// <summary>Ends what is left of a process, and after a loss of power rewrites the real files as the disk has them.</summary>
    public void End(bool losesPower)
    {
        bool wasKilled = HasEnded;
        HasEnded = true;
        foreach (SimulatedFile file in _open)
        {
            file.Abandon(wasKilled ? _random : new Random(0));
        }

        _open.Clear();
        if (losesPower)
        {
            LosePower();
        }
    }

    public override FileStream Open(
        string path,
        FileMode mode,
        FileAccess access,
        FileShare share,
        int bufferBytes = 4096,
        FileOptions options = FileOptions.None
    )
    {
        path = Path.GetFullPath(path);
        if (!IsInside(path))
        {
            return base.Open(path, mode, access, share, bufferBytes, options);
        }

        lock (_lock)
        {
            bool writes = access != FileAccess.Read;
            bool creates = writes && !File.Exists(path) && mode != FileMode.Open;
            Call($"open {(writes ? mode.ToString() : "to read")}", path, creates, reads: !writes, opens: true);
            StoredFolder folder = FolderOf(path);
            string name = Path.GetFileName(path);
            if (!folder.Shown.TryGetValue(name, out object? there) && File.Exists(path))
            {
                throw new Violation($"{path} was not written through the disk");
            }

            StoredFile stored = there as StoredFile ?? new StoredFile([], isFlushed: false);
            var file = new SimulatedFile(
                this,
                stored,
                path,
                mode,
                access,
                share,
                bufferBytes > 1,
                options.HasFlag(FileOptions.DeleteOnClose)
            );
            _open.Add(file);
            if (writes && mode is FileMode.Create or FileMode.Truncate)
            {
                stored.SetLength(0);
            }

            stored.LengthWhenOpened = stored.Length;
            if (there is null)
            {
                folder.Shown[name] = stored;
                _changes.Add(new NameChange(stored, null, "", folder, name));
            }

            After(path);
            return file;
        }
    }

    public override byte[] ReadAllBytes(string path)
    {
        Reading(path);
        return base.ReadAllBytes(path);
    }

    public override string ReadAllText(string path)
    {
        Reading(path);
        return base.ReadAllText(path);
    }

    public override void Rename(string from, string to, bool replaces = true)
    {
        if (!IsInside(Path.GetFullPath(from)))
        {
            base.Rename(from, to, replaces);
            return;
        }

        lock (_lock)
        {
            Renames.Add(Calls);
            Call($"rename {Path.GetFileName(from)} to", to, changes: true);
            base.Rename(from, to, replaces);
            Moved(from, to);
            After(to);
        }
    }

    public override void RenameFolder(string from, string to)
    {
        if (!IsInside(Path.GetFullPath(from)))
        {
            base.RenameFolder(from, to);
            return;
        }

        lock (_lock)
        {
            Renames.Add(Calls);
            Call($"rename {Path.GetFileName(from)} to", to, changes: true);
            base.RenameFolder(from, to);
            Moved(from, to);
            After(to);
        }
    }

    public override void Delete(string path)
    {
        if (!IsInside(Path.GetFullPath(path)))
        {
            base.Delete(path);
            return;
        }

        lock (_lock)
        {
            if (!File.Exists(path))
            {
                ThrowIfEnded(path);
                return;
            }

            Call("delete", path, removes: true);
            base.Delete(path);
            Removed(path);
            After(path);
        }
    }

    public override void DeleteFolder(string path)
    {
        if (!IsInside(Path.GetFullPath(path)))
        {
            base.DeleteFolder(path);
            return;
        }

        // As rm -r does it, one name after the other.
        foreach (string file in Directory.GetFiles(path))
        {
            Delete(file);
        }

        foreach (string folder in Directory.GetDirectories(path))
        {
            DeleteFolder(folder);
        }

        lock (_lock)
        {
            Call("rmdir", path, removes: true);
            Directory.Delete(path);
            Removed(path);
            After(path);
        }
    }

    public override void DeleteEmptyFolder(string path)
    {
        if (!IsInside(Path.GetFullPath(path)))
        {
            base.DeleteEmptyFolder(path);
            return;
        }

        lock (_lock)
        {
            Call("rmdir", path, removes: true);
            base.DeleteEmptyFolder(path);
            Removed(path);
            After(path);
        }
    }

    public override void CreateFolder(string path)
    {
        if (!IsInside(Path.GetFullPath(path)))
        {
            base.CreateFolder(path);
            return;
        }

        lock (_lock)
        {
            Call("mkdir", path, changes: true);
            if (Directory.Exists(path))
            {
                return;
            }

            base.CreateFolder(path);
            StoredFolder parent = FolderOf(path);
            var made = new StoredFolder();
            parent.Shown[Path.GetFileName(path)] = made;
            _changes.Add(new NameChange(made, null, "", parent, Path.GetFileName(path)));
            After(path);
        }
    }

    public override void FlushFolder(string folder)
    {
        folder = Path.GetFullPath(folder);
        if (!IsInside(folder))
        {
            return; // above the disk: there for long
        }

        lock (_lock)
        {
            Call("flush folder", folder, flushes: true, opens: true);
            StoredFolder stored = At(folder);
            _changes.ForEach(change => change.Flush(stored));
            After(folder);
        }
    }

    /// <summary>Brings a file's bytes to the disk.</summary>
    public virtual void FlushFile(string path, StoredFile stored)
    {
        lock (_lock)
        {
            try
            {
                Call("flush", path, flushes: true);
            }
            catch (IOException)
            {
                stored.FailFlush();
                throw;
            }

            stored.Flush();
            After(path);
        }
    }

    /// <summary>How much of a read or write the system takes at once.</summary>
    public int ShortLength(int wanted) => wanted > 1 && _random.Next(8) == 0 ? 1 + _random.Next(wanted) : wanted;

    /// <summary>Counts a write.</summary>
    /// <param name="last">Bytes that are still written when the fault strikes; −1 where it does not.</param>
    public void BeforeWrite(string path, int length, out int last)
    {
        lock (_lock)
        {
            ThrowIfEnded(path);
            Note("write", path);
            bool fails = Strikes(changes: true) || IsFailing(changes: true, opens: false, removes: false);
            last = fails ? _random.Next(length + 1) : -1;
        }
    }

    public void BeforeChange(string path)
    {
        lock (_lock)
        {
            Call("change", path, changes: true);
        }
    }

    public void BeforeRead(string path)
    {
        lock (_lock)
        {
            Call("read", path, reads: true);
        }
    }

    public void Closed(SimulatedFile file)
    {
        lock (_lock)
        {
            _open.Remove(file);
        }
    }

    /// <summary>Lets the fault be felt that was found to strike.</summary>
    public void Strike(string path)
    {
        HasStruck = true;
        switch (_fault!.Kind)
        {
            case FaultKind.Kill or FaultKind.PowerLoss:
                HasEnded = true;
                throw new ProcessEnded($"call {Calls}, {path}");
            case FaultKind.Full:
                _failing = int.MaxValue;
                throw new IOException($"No space left on device : '{path}'", 28);
            case FaultKind.ReadOnly:
                _failing = int.MaxValue;
                throw new IOException($"Read-only file system : '{path}'", 30);
            case FaultKind.TooManyFiles:
                throw new IOException($"Too many open files : '{path}'", 24);
            default:
                throw new IOException($"Input/output error : '{path}'", 5);
        }
    }

    private void Reading(string path)
    {
        if (IsInside(Path.GetFullPath(path)))
        {
            lock (_lock)
            {
                Call("read", path, reads: true, opens: true);
            }
        }
    }

    private void Call(
        string what,
        string path,
        bool changes = false,
        bool reads = false,
        bool opens = false,
        bool removes = false,
        bool flushes = false
    )
    {
        ThrowIfEnded(path);
        Note(what, path);
        bool strikes = Strikes(changes, reads, opens, removes, flushes);
        bool ends = strikes && _fault!.Kind is FaultKind.Kill or FaultKind.PowerLoss;
        if (ends && !reads && (_fault!.IsLate ?? _random.Next(2) == 0))
        {
            _isLate = true; // once it is done
            return;
        }

        if (strikes || IsFailing(changes, opens, removes))
        {
            HasFailedToRead |= reads && _fault!.Kind is FaultKind.Broken or FaultKind.TooManyFiles;
            Strike(path);
        }
    }

    private void After(string path)
    {
        if (_isLate)
        {
            _isLate = false;
            Strike(path);
        }
    }

    private void Note(string what, string path)
    {
        Trace.Enqueue($"{Calls} {what} {Path.GetRelativePath(_root, path)}");
        if (Trace.Count > 40)
        {
            Trace.Dequeue();
        }

        Calls++;
    }

    private bool IsFailing(bool changes, bool opens, bool removes)
    {
        if (_failing <= 0)
        {
            return false;
        }

        return _fault!.Kind switch
        {
            FaultKind.Full => changes,
            FaultKind.ReadOnly => changes || removes,
            _ => opens && _failing-- > 0,
        };
    }

    private bool Strikes(
        bool changes = false,
        bool reads = false,
        bool opens = false,
        bool removes = false,
        bool flushes = false
    )
    {
        if (_fault is null || HasStruck || Calls <= _fault.Call)
        {
            return false;
        }

        bool strikes = _fault.Kind switch
        {
            FaultKind.Full => changes || flushes,
            FaultKind.ReadOnly => changes || removes,
            FaultKind.TooManyFiles => opens,
            FaultKind.Broken => changes || reads || flushes,
            _ => true,
        };
        if (strikes && _fault.Kind == FaultKind.TooManyFiles)
        {
            _failing = _random.Next(DescriptorsFail);
        }

        return strikes;
    }

    private void ThrowIfEnded(string path)
    {
        if (HasEnded)
        {
            throw new ProcessEnded(path);
        }
    }

    private bool IsInside(string path) =>
        path == _root || path.StartsWith(_root + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    private StoredFolder FolderOf(string path) => At(Path.GetDirectoryName(Path.GetFullPath(path))!);

    private StoredFolder At(string folder)
    {
        StoredFolder at = _shown;
        foreach (string name in Path.GetRelativePath(_root, folder).Split('/').Where(name => name != "."))
        {
            at = (StoredFolder)at.Shown[name];
        }

        return at;
    }

    private void Moved(string from, string to)
    {
        (StoredFolder source, StoredFolder target) = (FolderOf(from), FolderOf(to));
        (string oldName, string newName) = (Path.GetFileName(from), Path.GetFileName(to));
        object item = source.Shown[oldName];
        source.Shown.Remove(oldName);
        target.Shown[newName] = item;
        _changes.Add(new NameChange(item, source, oldName, target, newName));
    }

    private void Removed(string path)
    {
        StoredFolder folder = FolderOf(path);
        string name = Path.GetFileName(path);
        _changes.Add(new NameChange(folder.Shown[name], folder, name, null, ""));
        folder.Shown.Remove(name);
    }

    private void LosePower()
    {
        // With a journal all changes of names are there up to a point; without one each may have been written or not.
        int upTo = -1;
        if (_random.Next(2) == 0)
        {
            int certain = _changes.FindLastIndex(change => change.IsPartlyFlushed) + 1;
            upTo = certain + _random.Next(_changes.Count - certain + 1);
        }

        for (int i = 0; i < _changes.Count; i++)
        {
            bool isWritten = upTo >= 0 ? i < upTo : _changes[i].IsPartlyFlushed || _random.Next(2) == 0;
            if (isWritten)
            {
                _changes[i].Write(keepsOldName: upTo < 0 && _random.Next(4) == 0);
            }
        }

        _changes.Clear();
        Directory.Delete(_root, recursive: true);
        StoredFolder before = _shown;
        _shown = new();
        Restore(before, _root, _shown, []);
    }

    private void Restore(StoredFolder from, string path, StoredFolder to, Dictionary<object, StoredFile> restored)
    {
        Directory.CreateDirectory(path);
        foreach ((string name, object item) in from.OnDisk)
        {
            string at = Path.Combine(path, name);
            object made;
            if (item is StoredFolder folder)
            {
                var below = new StoredFolder();
                Restore(folder, at, below, restored);
                made = below;
            }
            else
            {
                if (!restored.TryGetValue(item, out StoredFile? file))
                {
                    restored[item] = file = new StoredFile(((StoredFile)item).AfterPowerLoss(_random), isFlushed: true);
                }

                File.WriteAllBytes(at, file.Shown());

                // The battery of the clock may be flat, and nobody has set it.
                File.SetLastWriteTimeUtc(at, Clocks[_random.Next(Clocks.Length)]);
                made = file;
            }

            to.Shown[name] = made;
            to.OnDisk[name] = made;
        }
    }

    // Seconds that stand in files are the same in every life.
    private sealed class StoppedClock : TimeProvider
    {
        public override long GetTimestamp() => 0;
    }
}
