using System.Text.Json;
using Saltern.Tokenization;

namespace Saltern.Data;

/// <summary>The folder that a data set is written to, from the claim until it is whole.</summary>
/// <remarks>
/// A marker file lies in the folder, locked, as long as the data set is being written; <c>dataset.json</c> comes last. So a run that was killed
/// leaves the marker and never a manifest, and the next run knows that what it finds in the two shard folders may be removed.
/// </remarks>
internal sealed class DatasetFolder : IDisposable
{
    /// <summary>Folder, and name, of the training split.</summary>
    public const string Train = "train";

    /// <summary>Folder, and name, of the validation split.</summary>
    public const string Valid = "valid";

    private const string MarkerName = "dataset.unfinished";

    private readonly string _path;
    private readonly FileStream _marker;
    private bool _finished;

    private DatasetFolder(string path, FileStream marker)
    {
        _path = path;
        _marker = marker;
    }

    private string ManifestPath => System.IO.Path.Combine(_path, DatasetManifest.FileName);

    private string TokenizerPath => System.IO.Path.Combine(_path, DatasetManifest.TokenizerFileName);

    /// <summary>Whether the folder holds what an interrupted run left.</summary>
    public static bool IsUnfinished(string path) =>
        File.Exists(System.IO.Path.Combine(path, MarkerName)) && !File.Exists(System.IO.Path.Combine(path, DatasetManifest.FileName));

    /// <summary>Takes the folder for a new data set: creates it, or clears what an unfinished (or, if asked, a finished) one left.</summary>
    /// <exception cref="DataFormatException">The folder holds something that is not to be replaced, or another run is writing to it.</exception>
    public static DatasetFolder Claim(string path, BpeTokenizer tokenizer, bool overwrite)
    {
        bool finished = File.Exists(System.IO.Path.Combine(path, DatasetManifest.FileName));
        bool own = finished || IsUnfinished(path);
        if (finished && !overwrite)
        {
            throw new DataFormatException($"'{path}' already holds a finished data set. Name another folder, or allow it to be overwritten.");
        }

        foreach (string split in (string[])[Train, Valid])
        {
            string folder = System.IO.Path.Combine(path, split);
            if (!own && Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
            {
                throw new DataFormatException($"'{folder}' holds files that are not from an unfinished data set. Name another folder for the data set, or empty it.");
            }
        }

        string tokenizerFile = System.IO.Path.Combine(path, DatasetManifest.TokenizerFileName);
        if (!finished && File.Exists(tokenizerFile) && BpeTokenizer.Load(tokenizerFile).Fingerprint != tokenizer.Fingerprint)
        {
            throw new DataFormatException($"'{tokenizerFile}' is a different tokenizer from the one given. Name another folder for the data set, or remove the file.");
        }

        Directory.CreateDirectory(path);
        DatasetFolder claimed = new(path, Lock(System.IO.Path.Combine(path, MarkerName)));

        // The manifest goes first: from here on the old data set does not look whole.
        File.Delete(claimed.ManifestPath);
        claimed.RemoveShards();
        Directory.CreateDirectory(System.IO.Path.Combine(path, Train));
        Directory.CreateDirectory(System.IO.Path.Combine(path, Valid));
        return claimed;
    }

    /// <summary>Full path of a file named as in the manifest.</summary>
    public string FullPath(string file) => System.IO.Path.Combine(_path, file);

    /// <summary>Makes the data set whole: the tokenizer's copy, then the manifest, each by rename; then the marker goes.</summary>
    public void Finish(DatasetManifest manifest, BpeTokenizer tokenizer)
    {
        string partial = TokenizerPath + TokenShardWriter.PartialEnding;
        tokenizer.Save(partial);
        File.Move(partial, TokenizerPath, overwrite: true);

        partial = ManifestPath + TokenShardWriter.PartialEnding;
        using (FileStream file = new(partial, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            JsonSerializer.Serialize(file, manifest, DatasetManifestJson.Default.DatasetManifest);
            file.WriteByte((byte)'\n');
            file.Flush(flushToDisk: true);
        }

        File.Move(partial, ManifestPath, overwrite: true);
        _finished = true;
    }

    /// <summary>Gives the folder up; if it was not finished, removes what was written to it.</summary>
    public void Dispose()
    {
        if (!_finished)
        {
            RemoveShards();
            File.Delete(TokenizerPath + TokenShardWriter.PartialEnding);
            File.Delete(ManifestPath + TokenShardWriter.PartialEnding);
        }

        _marker.Dispose();
        File.Delete(_marker.Name);
    }

    private static FileStream Lock(string marker)
    {
        try
        {
            return new FileStream(marker, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None);
        }
        catch (IOException e)
        {
            throw new DataFormatException($"'{marker}' is locked: another `saltern prepare` is writing to this folder. Wait for it or name another folder.", e);
        }
    }

    // Only files with a shard's endings in the two folders of the layout; anything else there is not ours and stays.
    private void RemoveShards()
    {
        foreach (string split in (string[])[Train, Valid])
        {
            string folder = System.IO.Path.Combine(_path, split);
            if (!Directory.Exists(folder))
            {
                continue;
            }

            foreach (string file in Directory.GetFiles(folder))
            {
                if (System.IO.Path.GetExtension(file) is ".bin" or ".idx" or TokenShardWriter.PartialEnding)
                {
                    File.Delete(file);
                }
            }

            if (!Directory.EnumerateFileSystemEntries(folder).Any())
            {
                Directory.Delete(folder);
            }
        }
    }
}
