using Saltern.Files;

namespace Saltern.RunFiles;

/// <summary>Where the files of one run are read from: its folder, or a part of an archive of results.</summary>
/// <param name="Name">Path of the folder, or of the archive with the run's place in it; messages begin with it.</param>
internal abstract record RunSource(string Name)
{
    /// <summary>How a user removes this run's result, so that it can be made again: the beginning of a sentence.</summary>
    public abstract string Removal { get; }

    /// <summary>Why nothing can be read from here: the end of a sentence.</summary>
    public abstract string Lack { get; }

    /// <summary>What messages call one of its files.</summary>
    /// <param name="file">Path within the run, such as <c>eval/documents.jsonl</c>.</param>
    public string At(string file) => Path.Combine(Name, file);

    /// <summary>Whether a file is there.</summary>
    public abstract bool Has(string file);

    /// <summary>Bytes of a file that is there.</summary>
    public abstract long Length(string file);

    /// <summary>Opens a file that is there for reading.</summary>
    public abstract Stream Open(string file);

    /// <summary>All of a file that is there.</summary>
    public byte[] Bytes(string file)
    {
        using Stream stream = Open(file);
        var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }

    /// <summary>The lines of a text file that is there, one after the other.</summary>
    public IEnumerable<string> Lines(string file)
    {
        using var reader = new StreamReader(Open(file));
        while (reader.ReadLine() is string line)
        {
            yield return line;
        }
    }
}

/// <summary>A run folder on disk.</summary>
internal sealed record RunFolderSource(string Name) : RunSource(Name)
{
    /// <inheritdoc/>
    public override string Removal => "Remove the folder";

    /// <inheritdoc/>
    public override string Lack
    {
        get
        {
            if (Directory.Exists(Name))
            {
                return "the folder has no metrics.jsonl";
            }

            return "there is no such folder";
        }
    }

    /// <inheritdoc/>
    public override bool Has(string file) => File.Exists(At(file));

    /// <inheritdoc/>
    public override long Length(string file) => new FileInfo(At(file)).Length;

    /// <inheritdoc/>
    public override Stream Open(string file) =>
        Disk.Current.Open(At(file), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
}
