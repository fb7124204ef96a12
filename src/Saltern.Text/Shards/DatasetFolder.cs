using System.Security.Cryptography;
using Saltern.Files;
using Saltern.Tokenization;

namespace Saltern.Shards;

/// <summary>The folder that a data set is written to, from the claim until it is whole.</summary>
/// <remarks>
/// The folder is locked first, then looked at. A marker file lies in it as long as the data set is being written; <c>dataset.json</c> comes last. So a
/// run that was killed leaves the marker and never a manifest, and the next run knows that what it finds in the two shard folders may be resumed
/// (where there is a journal) or removed.
/// </remarks>
internal sealed class DatasetFolder : IDisposable
{
    /// <summary>Folder, and name, of the training split.</summary>
    public const string Train = "train";

    /// <summary>Folder, and name, of the validation split.</summary>
    public const string Valid = "valid";

    private const string MarkerName = "dataset.unfinished";

    private const string LockName = "dataset.lock";

    private readonly string _path;
    private readonly FileLock _lock;
    private bool _finished;
    private bool _keeps;

    private DatasetFolder(string path, FileLock held)
    {
        _path = path;
        _lock = held;
    }

    /// <summary>The journal of the interrupted run that is resumed; null where the work begins anew.</summary>
    public PrepareJournal? Resumed { get; private set; }

    private string MarkerPath => System.IO.Path.Combine(_path, MarkerName);

    private string ManifestPath => System.IO.Path.Combine(_path, DatasetManifest.FileName);

    private string TokenizerPath => System.IO.Path.Combine(_path, DatasetManifest.TokenizerFileName);

    /// <summary>Whether the folder holds what an interrupted run left.</summary>
    public static bool IsUnfinished(string path) =>
        File.Exists(System.IO.Path.Combine(path, MarkerName))
        && !File.Exists(System.IO.Path.Combine(path, DatasetManifest.FileName));

    /// <summary>Takes the folder for a new data set: creates it, resumes an interrupted one, or clears what an unfinished (or, if asked, a finished) one left.</summary>
    /// <param name="overwrite">Whether to replace what is there.</param>
    /// <param name="job">What the data set is to hold; null where the documents come from something that cannot be resumed.</param>
    /// <exception cref="DataFormatException">
    /// The folder holds something that is not to be replaced, or an interrupted run had another job.
    /// </exception>
    /// <exception cref="ConfigurationException">Another run is writing to it.</exception>
    public static DatasetFolder Claim(string path, BpeTokenizer tokenizer, bool overwrite, PrepareJob? job)
    {
        FileLock held = FileLock.Take(
            System.IO.Path.Combine(path, LockName),
            $"Another 'saltern prepare' is writing to {path}",
            "Wait for it, or name another folder."
        );
        try
        {
            return Begin(new DatasetFolder(path, held), tokenizer, overwrite, job);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    private static DatasetFolder Begin(DatasetFolder claimed, BpeTokenizer tokenizer, bool overwrite, PrepareJob? job)
    {
        string path = claimed._path;
        bool finished = File.Exists(System.IO.Path.Combine(path, DatasetManifest.FileName));
        bool own = finished || IsUnfinished(path);
        if (finished && !overwrite)
        {
            throw new DataFormatException(
                $"'{path}' already holds a finished data set. Name another folder, or allow it to be overwritten."
            );
        }

        foreach (string split in (string[])[Train, Valid])
        {
            string folder = System.IO.Path.Combine(path, split);
            if (!own && Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
            {
                throw new DataFormatException(
                    $"'{folder}' holds files that are not from an unfinished data set. Name another folder for the data set, or empty it."
                );
            }
        }

        string tokenizerFile = System.IO.Path.Combine(path, DatasetManifest.TokenizerFileName);
        if (
            !finished
            && File.Exists(tokenizerFile)
            && BpeTokenizer.Load(tokenizerFile).Fingerprint != tokenizer.Fingerprint
        )
        {
            throw new DataFormatException(
                $"'{tokenizerFile}' is a different tokenizer from the one given. Name another folder for the data set, or remove the file."
            );
        }

        bool resumes = job is not null && !overwrite && IsUnfinished(path);
        Disk.Current.Open(claimed.MarkerPath, FileMode.Create, FileAccess.Write, FileShare.None).Dispose();
        if (resumes && claimed.TryResume(job!))
        {
            return claimed;
        }

        // The manifest goes first: from here on the old data set does not look whole.
        Disk.Current.Delete(claimed.ManifestPath);
        claimed.RemoveShards(_ => true);
        claimed.RemoveJournal();
        DurableFolder.Create(System.IO.Path.Combine(path, Train));
        DurableFolder.Create(System.IO.Path.Combine(path, Valid));
        return claimed;
    }

    /// <summary>Full path of a file named as in the manifest.</summary>
    public string FullPath(string file) => System.IO.Path.Combine(_path, file);

    /// <summary>Writes a file of the folder under a temporary name, flushes it and renames it.</summary>
    public void WriteWhole(string file, Action<Stream> write) =>
        WholeFile.Write(FullPath(file), write, TokenShardWriter.PartialEnding);

    /// <summary>Makes the data set whole: the tokenizer's copy, then the manifest, each by rename; then the marker goes.</summary>
    /// <returns>The manifest as written.</returns>
    public DatasetManifest Finish(DatasetManifest manifest, BpeTokenizer tokenizer)
    {
        WriteWhole(DatasetManifest.TokenizerFileName, tokenizer.SaveTo);
        if (!tokenizer.NamesItsEnd)
        {
            new EndTokenFiles(_path).WriteGeneration([tokenizer.EndOfTextId]);
        }

        manifest = manifest with
        {
            TokenizerSha256 = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(TokenizerPath))),
        };
        WriteWhole(DatasetManifest.FileName, stream => stream.Write(manifest.ToJson()));
        _finished = true;
        return manifest;
    }

    /// <summary>Leaves what was written for a later run to resume.</summary>
    public void Keep() => _keeps = true;

    /// <summary>Gives the folder up; unless it was finished or kept, removes what was written to it.</summary>
    public void Dispose()
    {
        if (_keeps)
        {
            _lock.Dispose();
            return;
        }

        if (!_finished)
        {
            RemoveShards(_ => true);
            Disk.Current.Delete(TokenizerPath + TokenShardWriter.PartialEnding);
            Disk.Current.Delete(ManifestPath + TokenShardWriter.PartialEnding);
        }

        RemoveJournal();
        Disk.Current.Delete(MarkerPath);
        if (_finished)
        {
            // Without it a loss of power could bring the journal back beside the finished data set.
            DurableFolder.FlushParent(MarkerPath);
        }

        _lock.Dispose();
    }

    // True where a journal of the same job is there; shards that it does not know are removed.
    private bool TryResume(PrepareJob job)
    {
        if (PrepareJournal.TryLoad(_path) is not { } journal)
        {
            return false;
        }

        string[] differences = [.. job.DifferencesFrom(journal.Job)];
        if (differences.Length > 0)
        {
            string list = string.Concat(differences.Select(text => Environment.NewLine + "  " + text));
            throw new DataFormatException(
                $"'{_path}' holds an unfinished data set of another job:{list}{Environment.NewLine}"
                    + "Put it back as it was, name another folder, or begin anew with --overwrite."
            );
        }

        HashSet<string> known = [.. journal.Shards.Select(shard => FullPath(shard.File))];
        RemoveShards(file =>
            !known.Any(shard => file.StartsWith(shard, StringComparison.Ordinal) || file == TokenShard.IndexPath(shard))
        );
        DurableFolder.Create(FullPath(Train));
        DurableFolder.Create(FullPath(Valid));
        Resumed = journal;
        return true;
    }

    private void RemoveJournal()
    {
        foreach (
            string name in (string[])
                [
                    PrepareJournal.FileName,
                    PrepareJournal.FileName + TokenShardWriter.PartialEnding,
                    PrepareJournal.SeenFileName,
                    PrepareJournal.NearFileName,
                    VerifiedFiles.FileName,
                ]
        )
        {
            Disk.Current.Delete(FullPath(name));
        }
    }

    // Only files with a shard's endings in the two folders of the layout; anything else there is not ours and stays.
    private void RemoveShards(Func<string, bool> isUnwanted)
    {
        foreach (string split in (string[])[Train, Valid])
        {
            string folder = FullPath(split);
            if (!Directory.Exists(folder))
            {
                continue;
            }

            foreach (string file in Directory.GetFiles(folder))
            {
                if (
                    System.IO.Path.GetExtension(file) is ".bin" or ".idx" or TokenShardWriter.PartialEnding
                    && isUnwanted(file)
                )
                {
                    Disk.Current.Delete(file);
                }
            }

            if (!Directory.EnumerateFileSystemEntries(folder).Any())
            {
                Disk.Current.DeleteEmptyFolder(folder);
            }
        }
    }
}
