using System.Buffers.Binary;
using System.Text;
using Saltern.ModelFiles;

namespace Saltern.Tests.ModelFiles;

public class SafeTensorsFileTests
{
    [Fact]
    public void WrittenFile_HasTheDocumentedBytes()
    {
        using var folder = new TemporaryFolder();
        string path = folder["a.safetensors"];
        SafeTensorsFile.WriteFloat32(
            path,
            [("x", [2], () => new byte[] { 0, 0, 128, 63, 0, 0, 0, 64 })],
            new Dictionary<string, string> { ["format"] = "pt" }
        );
        byte[] file = System.IO.File.ReadAllBytes(path);
        int header = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        Assert.Equal(
            """{"__metadata__":{"format":"pt"},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""",
            Encoding.UTF8.GetString(file, 8, header).TrimEnd()
        );
        Assert.Equal(0, (8 + header) % 64);
        Assert.Equal([0, 0, 128, 63, 0, 0, 0, 64], file[(8 + header)..]);
        SafeTensorsEntry entry = Assert.Single(SafeTensorsFile.ReadHeader(path));
        Assert.Equal(("x", "F32", 8L + header, 8L), (entry.Name, entry.Type, entry.Offset, entry.Length));
    }

    [Theory]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}", 8, "damaged")] // no closing brace
    [InlineData("{\"x\":{\"dtype\":\"F99\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "type 'F99'")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "needs 12")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "impossible")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "impossible")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, "truncated")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 12, "something after its end")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "hole")]
    [InlineData(
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"y\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
        12,
        "overlap"
    )]
    [InlineData(
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
        8,
        "damaged"
    )]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,8]}}", 8, "damaged")] // overflow
    [InlineData("{\"x\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "damaged")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[2,18446744073709551614],\"data_offsets\":[0,8]}}", 8, "damaged")] // no 64-bit number
    // overflow of the bytes
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[2,9223372036854775807],\"data_offsets\":[0,8]}}", 8, "damaged")]
    [InlineData(
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"strides\":[1]}}",
        8,
        "unknown key 'strides'"
    )]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,9]}}", 8, "impossible")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[[2]],\"data_offsets\":[0,8]}}", 8, "damaged")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[2.5],\"data_offsets\":[0,8]}}", 8, "damaged")]
    [InlineData("{\"__metadata__\":{\"format\":1}}", 0, "__metadata__ is damaged")]
    [InlineData("{\"__metadata__\":[]}", 0, "__metadata__ is damaged")]
    // padded with something else than blanks
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}\0", 8, "damaged")]
    [InlineData("{\"\\ud800\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "damaged")] // half a surrogate pair
    [InlineData("\t{}", 0, "does not begin with '{'")]
    [InlineData("[1]", 0, "does not begin with '{'")]
    [InlineData("{", 0, "damaged")]
    [InlineData("", 0, "does not begin with '{'")]
    public void HostileHeaders_AreNamed(string header, int dataBytes, string expected)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("hostile.safetensors", File(Encoding.UTF8.GetBytes(header), dataBytes));
        string message = Assert.Throws<DataFormatException>(() => SafeTensorsFile.ReadHeader(path)).Message;
        Assert.Contains(path, message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new byte[0], "too few")] // HeaderTooSmall
    [InlineData(new byte[] { 0x3C, 0, 0, 0, 0, 0, 0, 0 }, "claims 60 bytes")] // InvalidHeaderLength: '<' and nothing behind
    [InlineData(new byte[] { 0x3C, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF }, "the format allows")] // HeaderTooLarge
    [InlineData(new byte[] { 1, 0, 0, 0, 0, 0, 0, 0, 0xFF }, "does not begin with '{'")] // InvalidHeader: no UTF-8
    [InlineData(new byte[] { 1, 0, 0, 0, 0, 0, 0, 0, (byte)'{' }, "damaged")] // InvalidHeaderDeserialization
    public void FilesOfTheFormatsOwnTests_AreRefused(byte[] file, string expected)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("hostile.safetensors", file);
        Assert.Contains(
            expected,
            Assert.Throws<DataFormatException>(() => SafeTensorsFile.ReadHeader(path)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void TensorsThatShareTheirBytes_AreRefused()
    {
        // A small file could otherwise stand for a hundred times its size.
        string header = string.Join(
            ",",
            Enumerable
                .Range(0, 10)
                .Select(i => $"\"w{i}\":{{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}")
        );
        Assert.Contains(
            "overlap",
            Assert.Throws<DataFormatException>(() => Read(Encoding.UTF8.GetBytes($"{{{header}}}"), 16)).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("{}\r \t\n", 0, 0)] // padded with any blanks
    [InlineData("{\"__metadata__\":{\"framework\":\"pt\"}}", 0, 0)]
    [InlineData("{\"x\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, 1)] // a scalar
    [InlineData("{\"x\":{\"dtype\":\"I32\",\"shape\":[2,0],\"data_offsets\":[0,0]}}", 0, 1)] // no elements
    public void UnusualButWholeFiles_AreRead(string header, int dataBytes, int tensors) =>
        Assert.Equal(tensors, Read(Encoding.UTF8.GetBytes(header), dataBytes).Count);

    [Fact]
    public void HeadersThatAreNoUtf8_AreNamed() =>
        Assert.Contains(
            "damaged",
            Assert
                .Throws<DataFormatException>(() =>
                    Read([(byte)'{', (byte)'"', 0xFF, (byte)'"', (byte)':', (byte)'1', (byte)'}'], 0)
                )
                .Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void DeepNesting_IsRefusedEarly()
    {
        string deep = "{\"x\":" + new string('[', 100_000);
        Assert.Contains(
            "depth",
            Assert.Throws<DataFormatException>(() => Read(Encoding.UTF8.GetBytes(deep), 0)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void ChangedFiles_GiveErrorsOfOurOwn()
    {
        byte[] header = Encoding.UTF8.GetBytes(
            """{"__metadata__":{"format":"pt"},"model.norm.weight":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}"""
                + ""","lm_head.weight":{"dtype":"BF16","shape":[2,3],"data_offsets":[16,28]}}"""
        );
        byte[] sample = File(header, 28);
        new MutationFuzz(sample).Run(
            file =>
            {
                using var stream = new MemoryStream(file);
                IReadOnlyList<SafeTensorsEntry> entries = SafeTensorsFile.ReadHeader(stream, "file");
                // what is let through can be read
                Assert.All(entries, entry => Assert.InRange(entry.Offset + entry.Length, 0, file.Length));
            },
            mend: file =>
            {
                if (file.Length > 36)
                {
                    BinaryPrimitives.WriteInt64LittleEndian(file, file.Length - 36);
                }
            }
        );
    }

    private static IReadOnlyList<SafeTensorsEntry> Read(byte[] header, int dataBytes)
    {
        using var stream = new MemoryStream(File(header, dataBytes));
        return SafeTensorsFile.ReadHeader(stream, "file");
    }

    private static byte[] File(byte[] header, int dataBytes)
    {
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        return [.. length, .. header, .. new byte[dataBytes]];
    }

    [Theory]
    [InlineData(-1L)]
    [InlineData(long.MaxValue)]
    [InlineData(1_000L)]
    public void AbsurdHeaderLengths_AllocateNothing(long length)
    {
        using var folder = new TemporaryFolder();
        byte[] file = new byte[64];
        BinaryPrimitives.WriteInt64LittleEndian(file, length);
        string path = folder.Write("absurd.safetensors", file);
        Assert.Contains(
            "claims",
            Assert.Throws<DataFormatException>(() => SafeTensorsFile.ReadHeader(path)).Message,
            StringComparison.Ordinal
        );
    }
}
