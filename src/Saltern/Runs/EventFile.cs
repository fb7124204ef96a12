// TensorBoard's event files: records of TFRecord around Event messages of Protocol Buffers, of which few fields are needed.
using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace Saltern.Runs;

/// <summary>Writes one event file; a run that is resumed goes on in the one it has.</summary>
/// <remarks>
/// A record is the length (8 bytes), its masked CRC-32C, the message, and its masked CRC-32C (tensorflow/core/lib/io/record_writer.h). Fields of messages are numbered as in
/// tensorflow/core/util/event.proto, framework/summary.proto, framework/tensor.proto and tensorboard/plugins/hparams/plugin_data.proto.
/// </remarks>
internal sealed class EventFile : IDisposable
{
    private const string Prefix = "events.out.tfevents.";

    // Length and its checksum before a message, its checksum behind.
    private const int HeadBytes = 12;
    private const int TailBytes = 4;

    // Wire types of Protocol Buffers.
    private const int Varint = 0;
    private const int Bits64 = 1;
    private const int Bytes = 2;
    private const int Bits32 = 5;

    private const int TypeFloat = 1;
    private const int TypeString = 7;
    private const int ClassTensor = 2;

    // A record goes to the system whole: what a full disk refuses must not be tried again when the file is closed.
    private const int Unbuffered = 0;

    private readonly FileStream _file;

    /// <summary>Opens the folder's event file, or begins one.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="lastStep">Step that the run goes on from; 0 where it begins.</param>
    public EventFile(string folder, int lastStep)
    {
        string[] known = [.. Directory.GetFiles(folder, Prefix + "*").Order(StringComparer.Ordinal)];
        if (known.Length > 0)
        {
            _file = new FileStream(known[^1], FileMode.Open, FileAccess.ReadWrite, FileShare.Read, Unbuffered);
            _file.SetLength(WholeBytes(_file));
            _file.Seek(0, SeekOrigin.End);
            if (_file.Length == 0)
            {
                WriteVersion();
            }

            // A session's start tells readers to drop what an earlier life had written from this step on.
            Write(lastStep + 1, message => Field(message, 7, session => Number(session, 1, 1)));
            return;
        }

        string name = string.Create(
            CultureInfo.InvariantCulture,
            $"{Prefix}{DateTimeOffset.UtcNow.ToUnixTimeSeconds()}.{Environment.MachineName}"
        );
        _file = new FileStream(
            Path.Combine(folder, name),
            FileMode.CreateNew,
            FileAccess.Write,
            FileShare.Read,
            Unbuffered
        );
        WriteVersion();
    }

    /// <summary>Writes numbers of one step.</summary>
    public void WriteScalars(int step, IEnumerable<KeyValuePair<string, double>> values) =>
        WriteSummary(
            step,
            summary =>
            {
                foreach ((string tag, double value) in values)
                {
                    Field(
                        summary,
                        1,
                        entry =>
                        {
                            Text(entry, 1, tag);
                            Key(entry, 2, Bits32);
                            Span<byte> bits = stackalloc byte[4];
                            BinaryPrimitives.WriteSingleLittleEndian(bits, (float)value);
                            entry.Write(bits);
                        }
                    );
                }
            }
        );

    /// <summary>Writes texts of one step, in Markdown.</summary>
    public void WriteText(int step, string tag, IReadOnlyList<string> markdown) =>
        WriteSummary(
            step,
            summary =>
                Field(
                    summary,
                    1,
                    entry =>
                    {
                        Text(entry, 1, tag);
                        Field(
                            entry,
                            8,
                            tensor =>
                            {
                                Number(tensor, 1, TypeString);
                                Field(tensor, 2, shape => Field(shape, 2, size => Number(size, 1, markdown.Count)));
                                foreach (string text in markdown)
                                {
                                    Text(tensor, 8, text);
                                }
                            }
                        );
                        Field(entry, 9, metadata => Plugin(metadata, "text", _ => { }));
                    }
                )
        );

    /// <summary>Writes the settings of the run, for the plug-in HPARAMS.</summary>
    /// <param name="name">Name of the run.</param>
    /// <param name="settings">Key and value as a recipe writes them; numbers and truth values become such.</param>
    public void WriteSettings(string name, IEnumerable<KeyValuePair<string, string>> settings) =>
        WriteHparams(
            "_hparams_/session_start_info",
            3,
            start =>
            {
                foreach ((string key, string value) in settings)
                {
                    Field(
                        start,
                        1,
                        entry =>
                        {
                            Text(entry, 1, key);
                            Field(entry, 2, inner => Value(inner, value));
                        }
                    );
                }

                Text(start, 4, name);
                Double(start, 5, Now());
            }
        );

    /// <summary>Says for the plug-in HPARAMS that the run has ended well.</summary>
    public void WriteEnd() =>
        WriteHparams(
            "_hparams_/session_end_info",
            4,
            end =>
            {
                Number(end, 1, 1);
                Double(end, 2, Now());
            }
        );

    /// <summary>Hands all to the system.</summary>
    public void Flush() => _file.Flush();

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    // Bytes of the file's whole records: a kill can leave a torn one at the end, behind which no reader would find the next.
    private static long WholeBytes(FileStream file)
    {
        long whole = 0;
        byte[] head = new byte[HeadBytes];
        while (file.ReadAtLeast(head, HeadBytes, throwOnEndOfStream: false) == HeadBytes)
        {
            ulong length = BinaryPrimitives.ReadUInt64LittleEndian(head);
            bool isHead = BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(8)) == MaskedCrc(head.AsSpan(0, 8));
            if (!isHead || length > (ulong)(file.Length - file.Position))
            {
                break;
            }

            long end = file.Position + (long)length + TailBytes;
            if (end > file.Length)
            {
                break;
            }

            file.Position = end;
            whole = end;
        }

        return whole;
    }

    private static double Now() => (DateTime.UtcNow - DateTime.UnixEpoch).TotalSeconds;

    private void WriteHparams(string tag, int field, Action<MemoryStream> content) =>
        WriteSummary(
            0,
            summary =>
                Field(
                    summary,
                    1,
                    entry =>
                    {
                        Text(entry, 1, tag);
                        Field(
                            entry,
                            8,
                            tensor =>
                            {
                                Number(tensor, 1, TypeFloat);
                                Field(tensor, 2, shape => Field(shape, 2, size => Number(size, 1, 0)));
                            }
                        );
                        Field(entry, 9, metadata => Plugin(metadata, "hparams", data => Field(data, field, content)));
                    }
                )
        );

    private static void Plugin(MemoryStream metadata, string name, Action<MemoryStream> content)
    {
        Field(
            metadata,
            1,
            plugin =>
            {
                Text(plugin, 1, name);
                Field(plugin, 2, content);
            }
        );
        Number(metadata, 4, ClassTensor);
    }

    // google.protobuf.Value.
    private static void Value(MemoryStream message, string value)
    {
        if (value is "true" or "false")
        {
            Number(message, 4, value == "true" ? 1 : 0);
        }
        else if (
            double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            && double.IsFinite(number)
        )
        {
            Double(message, 2, number);
        }
        else
        {
            Text(message, 3, value.Trim('\'', '"'));
        }
    }

    private void WriteSummary(int step, Action<MemoryStream> content) =>
        Write(step, message => Field(message, 5, content));

    private void Write(int step, Action<MemoryStream> content)
    {
        using var message = new MemoryStream();
        Double(message, 1, Now());
        Number(message, 2, step);
        content(message);
        int length = (int)message.Length;
        byte[] record = new byte[HeadBytes + length + TailBytes];
        Span<byte> head = record.AsSpan(0, HeadBytes);
        Span<byte> bytes = record.AsSpan(HeadBytes, length);
        message.GetBuffer().AsSpan(0, length).CopyTo(bytes);
        BinaryPrimitives.WriteInt64LittleEndian(head, length);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], MaskedCrc(head[..8]));
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(HeadBytes + length), MaskedCrc(bytes));
        _file.Write(record);
    }

    private void WriteVersion() => Write(0, message => Text(message, 3, "brain.Event:2"));

    private static uint MaskedCrc(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return BitOperations.RotateRight(~crc, 15) + 0xA282EAD8;
    }

    private static void Key(MemoryStream message, int field, int wireType) =>
        Varints(message, (ulong)((field << 3) | wireType));

    private static void Number(MemoryStream message, int field, long value)
    {
        Key(message, field, Varint);
        Varints(message, (ulong)value);
    }

    private static void Double(MemoryStream message, int field, double value)
    {
        Key(message, field, Bits64);
        Span<byte> bits = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(bits, value);
        message.Write(bits);
    }

    private static void Text(MemoryStream message, int field, string text)
    {
        Key(message, field, Bytes);
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        Varints(message, (ulong)utf8.Length);
        message.Write(utf8);
    }

    private static void Field(MemoryStream message, int field, Action<MemoryStream> content)
    {
        using var inner = new MemoryStream();
        content(inner);
        Key(message, field, Bytes);
        Varints(message, (ulong)inner.Length);
        message.Write(inner.GetBuffer(), 0, (int)inner.Length);
    }

    private static void Varints(MemoryStream message, ulong value)
    {
        while (value >= 0x80)
        {
            message.WriteByte((byte)(value | 0x80));
            value >>= 7;
        }

        message.WriteByte((byte)value);
    }
}
