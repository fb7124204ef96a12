using System.Text;

namespace Saltern.Export;

/// <summary>The key/value pairs of a GGUF file, encoded as they are added: key, type number, value.</summary>
internal sealed class GgufMetadata : IDisposable
{
    private readonly MemoryStream _bytes = new();
    private readonly BinaryWriter _writer;

    /// <summary>Starts without pairs.</summary>
    public GgufMetadata() => _writer = new BinaryWriter(_bytes);

    // Type numbers of the format.
    private enum ValueType
    {
        UInt32 = 4,
        Int32 = 5,
        Float32 = 6,
        Bool = 7,
        Text = 8,
        Array = 9,
    }

    /// <summary>Number of pairs.</summary>
    public ulong Count { get; private set; }

    /// <summary>Adds a number without sign.</summary>
    public void Add(string key, uint value)
    {
        Begin(key, ValueType.UInt32);
        _writer.Write(value);
    }

    /// <summary>Adds a fraction, as float32.</summary>
    public void Add(string key, float value)
    {
        Begin(key, ValueType.Float32);
        _writer.Write(value);
    }

    /// <summary>Adds a yes or no.</summary>
    public void Add(string key, bool value)
    {
        Begin(key, ValueType.Bool);
        _writer.Write(value);
    }

    /// <summary>Adds a text.</summary>
    public void Add(string key, string value)
    {
        Begin(key, ValueType.Text);
        WriteText(_writer, value);
    }

    /// <summary>Adds a list of texts.</summary>
    public void Add(string key, IReadOnlyCollection<string> values)
    {
        BeginList(key, ValueType.Text, values.Count);
        foreach (string value in values)
        {
            WriteText(_writer, value);
        }
    }

    /// <summary>Adds a list of numbers.</summary>
    public void Add(string key, IReadOnlyCollection<int> values)
    {
        BeginList(key, ValueType.Int32, values.Count);
        foreach (int value in values)
        {
            _writer.Write(value);
        }
    }

    /// <summary>Adds a list of fractions, as float32.</summary>
    public void Add(string key, IReadOnlyCollection<float> values)
    {
        BeginList(key, ValueType.Float32, values.Count);
        foreach (float value in values)
        {
            _writer.Write(value);
        }
    }

    /// <summary>Writes all pairs, one after the other.</summary>
    public void WriteTo(Stream stream) => _bytes.WriteTo(stream);

    /// <inheritdoc/>
    public void Dispose() => _writer.Dispose();

    /// <summary>Writes a text as the format has it: length in bytes as u64, then UTF-8.</summary>
    public static void WriteText(BinaryWriter writer, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private void Begin(string key, ValueType type)
    {
        WriteText(_writer, key);
        _writer.Write((uint)type);
        Count++;
    }

    private void BeginList(string key, ValueType type, int count)
    {
        Begin(key, ValueType.Array);
        _writer.Write((uint)type);
        _writer.Write((ulong)count);
    }
}
