using System.Text;
using Saltern.RunFiles;

namespace Saltern.Watch;

/// <summary>Follows a <c>metrics.jsonl</c> that another process, perhaps on another machine, is writing. Only reads.</summary>
/// <remarks>
/// Lines count once their line feed is there, so a line that is still being written, or that a crash has torn, waits. A run that resumes writes the file
/// anew (<see cref="MetricsLog"/>); that is noticed by the bytes before the place reached, and everything is read again.
/// </remarks>
/// <param name="path">The file; it need not exist yet.</param>
internal sealed class MetricsTail(string path)
{
    // More than two lines of different steps have in common.
    private const int RememberedBytes = 512;

    // A line of a run is 1 kB; what has no end after this much is no metrics file.
    private const int LongestLine = 1 << 20;
    private byte[] _remembered = [];
    private long _position;

    /// <summary>Everything read so far.</summary>
    public MetricsTable Table { get; private set; } = new();

    /// <summary>Whole lines that are not objects with a step; they are skipped.</summary>
    public int BrokenLines { get; private set; }

    /// <summary>Reads what has been added.</summary>
    /// <returns>Whether anything changed.</returns>
    /// <exception cref="IOException">The file cannot be read just now.</exception>
    /// <exception cref="DataFormatException">A line without an end.</exception>
    public bool Poll()
    {
        if (!File.Exists(path))
        {
            return Restart();
        }

        // The writer must be able to write, and to replace the file, while it is open here.
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        bool changed = !ContinuesWhatWasRead(file) && Restart();
        file.Position = _position;
        var line = new List<byte>();
        byte[] chunk = new byte[1 << 16];
        while (file.Read(chunk) is > 0 and int count)
        {
            ReadOnlySpan<byte> rest = chunk.AsSpan(0, count);
            while (rest.IndexOf((byte)'\n') is >= 0 and int end)
            {
                line.AddRange(rest[..end]);
                _position += line.Count + 1;
                Take(Encoding.UTF8.GetString([.. line]));
                line.Clear();
                changed = true;
                rest = rest[(end + 1)..];
            }

            line.AddRange(rest);
            if (line.Count > LongestLine)
            {
                throw new DataFormatException(
                    $"{path}: no line feed within {LongestLine:N0} bytes. This is not a metrics file; leave this run out."
                );
            }
        }

        Remember(file);
        return changed;
    }

    private void Take(string line)
    {
        if (string.IsNullOrWhiteSpace(line))
        {
            return;
        }

        try
        {
            Table.AddLine(line);
        }
        catch (DataFormatException)
        {
            // A page that shows the rest and says so serves better than one that shows nothing; `saltern compare` refuses such a file.
            BrokenLines++;
        }
    }

    private bool Restart()
    {
        bool hadSomething = _position > 0;
        (Table, BrokenLines, _position, _remembered) = (new MetricsTable(), 0, 0, []);
        return hadSomething;
    }

    private bool ContinuesWhatWasRead(FileStream file)
    {
        if (file.Length < _position)
        {
            return false;
        }

        file.Position = _position - _remembered.Length;
        byte[] found = new byte[_remembered.Length];
        return file.ReadAtLeast(found, found.Length, throwOnEndOfStream: false) == found.Length
            && found.AsSpan().SequenceEqual(_remembered);
    }

    private void Remember(FileStream file)
    {
        _remembered = new byte[Math.Min(RememberedBytes, _position)];
        file.Position = _position - _remembered.Length;
        file.ReadExactly(_remembered);
    }
}
