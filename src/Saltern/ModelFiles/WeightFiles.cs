using System.Runtime.InteropServices;
using System.Text.Json;
using Saltern.Files;

namespace Saltern.ModelFiles;

/// <summary>The weights of a model folder: <c>model.safetensors</c>, or several files with <c>model.safetensors.index.json</c>.</summary>
/// <remarks>Everything is checked when the folder is opened; values are then read from the same open files. Pickle files are never read.</remarks>
internal sealed class WeightFiles : IDisposable
{
    /// <summary>Names the file of each tensor where there are several.</summary>
    public const string IndexFile = "model.safetensors.index.json";

    private const int LargestIndex = 64 << 20; // bytes; 1,000 layers take about 1 MB
    private const int PieceElements = 1 << 20;
    private const string Extension = ".safetensors";
    private readonly Dictionary<string, SafeTensorsEntry> _entries = [];
    private readonly Dictionary<string, FileStream> _places = [];
    private readonly List<FileStream> _files = [];

    private WeightFiles(string folder) => Folder = folder;

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, SafeTensorsEntry> Entries => _entries;

    /// <summary>Opens and checks all files; the caller disposes of them.</summary>
    /// <exception cref="DataFormatException">Files are missing, damaged, outside the folder or at odds with the index.</exception>
    public static WeightFiles Open(string folder)
    {
        var weights = new WeightFiles(folder);
        try
        {
            weights.OpenAll();
            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>Paths of the weight files, in the order of their names.</summary>
    /// <exception cref="DataFormatException">There are none, or their names leave the folder.</exception>
    public static IReadOnlyList<string> Paths(string folder) =>
        [.. Map(folder).Files.Select(name => FolderFile.Find(folder, name))];

    /// <summary>File that holds a tensor, for messages.</summary>
    public string PathOf(string name) => _places[name].Name;

    /// <summary>Reads a tensor's values as float32, which holds float16 and bfloat16 exactly, piece by piece.</summary>
    /// <param name="name">A float32, float16 or bfloat16 tensor.</param>
    /// <param name="take">Is given the index of the piece's first element and the values; they are overwritten afterwards.</param>
    /// <param name="rowLength">Every piece is a multiple of it, elements.</param>
    /// <exception cref="DataFormatException">The tensor is of another type or holds what is no finite number, or the file has become shorter.</exception>
    public void Read(string name, Action<long, Memory<float>> take, int rowLength = 1)
    {
        long at = 0;
        foreach (Memory<float> piece in Pieces(name, rowLength))
        {
            take(at, piece);
            at += piece.Length;
        }
    }

    /// <summary>As <see cref="Read"/>, as a sequence whose pieces share one buffer.</summary>
    internal IEnumerable<Memory<float>> Pieces(string name, int rowLength = 1)
    {
        foreach (Memory<float> piece in StoredPieces(name, rowLength))
        {
            if (!FiniteValues.Are(piece.Span))
            {
                throw FiniteValues.Complaint(PathOf(name), name, StoredPieces(name, rowLength));
            }

            yield return piece;
        }
    }

    // Whatever they are.
    private IEnumerable<Memory<float>> StoredPieces(string name, int rowLength)
    {
        (FileStream file, SafeTensorsEntry entry) = (_places[name], _entries[name]);
        Action<ReadOnlySpan<byte>, Span<float>> widen = entry.Type switch
        {
            "F32" => static (from, to) => from.CopyTo(MemoryMarshal.AsBytes(to)),
            "F16" => static (from, to) => Widen(MemoryMarshal.Cast<byte, Half>(from), to),
            "BF16" => static (from, to) => Widen(MemoryMarshal.Cast<byte, ushort>(from), to),
            _ => throw new DataFormatException(
                $"{file.Name}: {name} is {entry.Type}. Weights can be F32, F16 or BF16."
            ),
        };
        long count = entry.Shape.Aggregate(1L, (product, size) => product * size);
        if (count == 0)
        {
            yield break;
        }

        int width = (int)(entry.Length / count);
        var values = new float[Math.Min(count, Math.Max(rowLength, PieceElements / rowLength * rowLength))];
        var bytes = new byte[values.Length * width];
        for (long at = 0; at < count; at += values.Length)
        {
            int length = (int)Math.Min(values.Length, count - at);
            ReadExactly(file, entry.Offset + (at * width), bytes.AsSpan(0, length * width));
            widen(bytes.AsSpan(0, length * width), values.AsSpan(0, length));
            yield return values.AsMemory(0, length);
        }
    }

    /// <summary>Closes the files.</summary>
    public void Dispose() => _files.ForEach(file => file.Dispose());

    private static void Widen(ReadOnlySpan<Half> from, Span<float> to)
    {
        for (int i = 0; i < from.Length; i++)
        {
            to[i] = (float)from[i];
        }
    }

    // bfloat16 is the upper half of a float32.
    private static void Widen(ReadOnlySpan<ushort> from, Span<float> to)
    {
        for (int i = 0; i < from.Length; i++)
        {
            to[i] = BitConverter.UInt32BitsToSingle((uint)from[i] << 16);
        }
    }

    private static void ReadExactly(FileStream file, long offset, Span<byte> bytes)
    {
        for (int read; bytes.Length > 0; bytes = bytes[read..], offset += read)
        {
            read = RandomAccess.Read(file.SafeFileHandle, bytes, offset);
            if (read == 0)
            {
                throw new DataFormatException(
                    $"{file.Name} ends at byte {offset}: it has become shorter since it was opened."
                );
            }
        }
    }

    private void OpenAll()
    {
        (IReadOnlyDictionary<string, string>? index, IReadOnlyList<string> files) = Map(Folder);
        foreach (string name in files)
        {
            FileStream file = SafeTensorsFile.Open(FolderFile.Find(Folder, name));
            _files.Add(file);
            foreach (SafeTensorsEntry entry in SafeTensorsFile.ReadHeader(file, file.Name))
            {
                string? place = index is null ? name : index.GetValueOrDefault(entry.Name);
                if (place != name)
                {
                    string said = place is null ? "does not know" : $"puts into {place}";
                    throw new DataFormatException(
                        $"{file.Name} has the tensor '{entry.Name}', which {IndexFile} {said}."
                    );
                }

                _entries.Add(entry.Name, entry);
                _places.Add(entry.Name, file);
            }
        }

        if (index?.FirstOrDefault(tensor => !_entries.ContainsKey(tensor.Key)) is { Key: not null } missing)
        {
            throw new DataFormatException(
                $"{Folder}: {missing.Value} has no tensor '{missing.Key}', which {IndexFile} puts there."
            );
        }
    }

    // The index, if there is one, and the names of the files.
    private static (IReadOnlyDictionary<string, string>? Index, IReadOnlyList<string> Files) Map(string folder)
    {
        bool single = FolderFile.Exists(folder, ModelFolder.WeightsFile);
        bool several = FolderFile.Exists(folder, IndexFile);
        if (single && several)
        {
            throw new DataFormatException(
                $"{folder} has both {ModelFolder.WeightsFile} and {IndexFile}. Remove the one that is not the model."
            );
        }

        if (several)
        {
            string path = FolderFile.Find(folder, IndexFile);
            IReadOnlyDictionary<string, string> index = ParseIndex(path, FolderFile.ReadSmall(path, LargestIndex));
            return (index, [.. index.Values.Distinct().Order(StringComparer.Ordinal)]);
        }

        if (single)
        {
            return (null, [ModelFolder.WeightsFile]);
        }

        string? pickle = Directory
            .EnumerateFiles(folder, "*.bin")
            .Concat(Directory.EnumerateFiles(folder, "*.pt*"))
            .Select(Path.GetFileName)
            .Order(StringComparer.Ordinal)
            .FirstOrDefault();
        string message = $"{folder} has neither {ModelFolder.WeightsFile} nor {IndexFile}.";
        if (pickle is not null)
        {
            message +=
                $" {pickle} may be a pickle file, which can run code when it is opened, so it is not read: "
                + "get the model as safetensors.";
        }

        throw new DataFormatException(message);
    }

    /// <summary>Names of files by names of tensors.</summary>
    internal static IReadOnlyDictionary<string, string> ParseIndex(string path, byte[] content)
    {
        try
        {
            using var json = JsonDocument.Parse(
                content,
                new JsonDocumentOptions { MaxDepth = 8, AllowDuplicateProperties = false }
            );
            var files = new Dictionary<string, string>();
            foreach (JsonProperty tensor in json.RootElement.GetProperty("weight_map").EnumerateObject())
            {
                string file = tensor.Value.GetString() ?? "";
                if (!file.EndsWith(Extension, StringComparison.Ordinal))
                {
                    throw new DataFormatException(
                        $"{path} puts '{tensor.Name}' into '{file}'. Only {Extension} files are read."
                    );
                }

                files.Add(tensor.Name, file);
            }

            return files;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new DataFormatException($"{path} is damaged: {e.Message}", e);
        }
    }
}
