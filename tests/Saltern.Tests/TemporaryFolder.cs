using System.IO.Compression;
using System.Text;

namespace Saltern.Tests;

/// <summary>A folder of its own for one test, removed afterwards.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("saltern-data-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    public string Write(string name, byte[] bytes)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(this[name])!);
        File.WriteAllBytes(this[name], bytes);
        return this[name];
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);

    public static byte[] Gzip(string text, CompressionLevel level = CompressionLevel.Fastest)
    {
        using MemoryStream stored = new();
        using (GZipStream gzip = new(stored, level))
        {
            gzip.Write(Encoding.UTF8.GetBytes(text));
        }

        return stored.ToArray();
    }

    public static byte[] Zstandard(string text)
    {
        using ZstdSharp.Compressor compressor = new();
        return compressor.Wrap(Encoding.UTF8.GetBytes(text)).ToArray();
    }
}
