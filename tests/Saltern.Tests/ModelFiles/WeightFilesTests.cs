using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Saltern.ModelFiles;

namespace Saltern.Tests.ModelFiles;

public class WeightFilesTests
{
    private static readonly Dictionary<string, string> NoText = [];

    [Fact]
    public void Parts_AreOneModel()
    {
        using var folder = new TemporaryFolder();
        WritePart(folder, "model-00001-of-00002.safetensors", "a", 1);
        WritePart(folder, "model-00002-of-00002.safetensors", "b", 2);
        WriteIndex(folder, ("a", "model-00001-of-00002.safetensors"), ("b", "model-00002-of-00002.safetensors"));
        using var files = WeightFiles.Open(folder.Path);
        Assert.Equal(["a", "b"], files.Entries.Keys.Order());
        files.Read("b", (at, values) => Assert.Equal((0, 2f), (at, values.Span[0])));
    }

    [Theory]
    [InlineData(
        "F16",
        new byte[] { 0x00, 0x3C, 0x00, 0xC0, 0x01, 0x00, 0xFF, 0x7B, 0xFF, 0xFB },
        new[] { 1f, -2f, 5.9604645e-8f, 65504f, -65504f }
    )] // 2⁻²⁴ and the largest, with both signs
    [InlineData(
        "BF16",
        new byte[] { 0x80, 0x3F, 0x00, 0xC0, 0x49, 0x40, 0x80, 0x00, 0x01, 0x00 },
        new[] { 1f, -2f, 3.140625f, 1.17549435e-38f, 9.1835e-41f }
    )] // the smallest normal and subnormal
    public void NarrowTypes_AreWidenedExactly(string type, byte[] data, float[] expected)
    {
        using var folder = new TemporaryFolder();
        folder.Write(
            "model.safetensors",
            File(Encoding.UTF8.GetBytes($$$"""{"x":{"dtype":"{{{type}}}","shape":[5],"data_offsets":[0,10]}}"""), data)
        );
        using var files = WeightFiles.Open(folder.Path);
        files.Read("x", (_, values) => Assert.Equal(expected, values.ToArray()));
    }

    [Fact]
    public void LongTensors_ComeInPieces()
    {
        using var folder = new TemporaryFolder();
        const int Count = (1 << 20) + 3;
        float[] values = [.. Enumerable.Range(0, Count).Select(i => (float)i)];
        SafeTensorsFile.WriteFloat32(
            folder["model.safetensors"],
            [("x", [Count], () => System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values).ToArray())],
            NoText
        );
        using var files = WeightFiles.Open(folder.Path);
        var read = new List<(long, int)>();
        files.Read(
            "x",
            (at, piece) =>
            {
                read.Add((at, piece.Length));
                Assert.True(piece.Span.SequenceEqual(values.AsSpan((int)at, piece.Length)));
            }
        );
        Assert.Equal([(0L, 1 << 20), (1L << 20, 3)], read);
    }

    [Theory]
    [InlineData("../outside.safetensors", "not the plain name")]
    [InlineData("/etc/model.safetensors", "not the plain name")]
    [InlineData("sub/model.safetensors", "not the plain name")]
    [InlineData("..\\outside.safetensors", "not the plain name")]
    [InlineData("a\0.safetensors", "not the plain name")]
    [InlineData("a\n.safetensors", "not the plain name")]
    [InlineData("pytorch_model.bin", "Only .safetensors files are read")]
    [InlineData("", "Only .safetensors files are read")]
    [InlineData("absent.safetensors", "has no file 'absent.safetensors'")]
    [InlineData("link.safetensors", "is a link to")]
    [InlineData("folder.safetensors", "has no file 'folder.safetensors'")]
    public void IndexedNames_StayInTheFolder(string name, string expected)
    {
        using var outside = new TemporaryFolder();
        using var folder = new TemporaryFolder();
        WritePart(outside, "outside.safetensors", "a", 1);
        System.IO.File.CreateSymbolicLink(folder["link.safetensors"], outside["outside.safetensors"]);
        Directory.CreateDirectory(folder["folder.safetensors"]);
        WriteIndex(folder, ("a", name));
        Assert.Contains(expected, Refusal(folder), StringComparison.Ordinal);
    }

    [Fact]
    public void ALinkedModel_IsNotFollowed()
    {
        using var outside = new TemporaryFolder();
        using var folder = new TemporaryFolder();
        WritePart(outside, "weights", "a", 1);
        System.IO.File.CreateSymbolicLink(folder["model.safetensors"], outside["weights"]);
        Assert.Contains("cp -rL", Refusal(folder), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        """{"weight_map":{"a":"p.safetensors"}}""",
        "has the tensor 'b', which model.safetensors.index.json does not know"
    )]
    [InlineData(
        """{"weight_map":{"a":"p.safetensors","b":"q.safetensors"}}""",
        "has the tensor 'b', which model.safetensors.index.json puts into q.safetensors"
    )]
    [InlineData(
        """{"weight_map":{"a":"p.safetensors","b":"p.safetensors","c":"p.safetensors"}}""",
        "has no tensor 'c'"
    )]
    [InlineData("""{"weight_map":{"a":"p.safetensors","a":"p.safetensors"}}""", "is damaged")]
    [InlineData("""{"weight_map":{"a":1}}""", "is damaged")]
    [InlineData("""{"weight_map":[]}""", "is damaged")]
    [InlineData("""{}""", "is damaged")]
    [InlineData("[", "is damaged")]
    public void LyingIndexes_AreNamed(string index, string expected)
    {
        using var folder = new TemporaryFolder();
        SafeTensorsFile.WriteFloat32(
            folder["p.safetensors"],
            [("a", [1], () => new byte[4]), ("b", [1], () => new byte[4])],
            NoText
        );
        WritePart(folder, "q.safetensors", "b", 1);
        folder.Write(WeightFiles.IndexFile, index);
        Assert.Contains(expected, Refusal(folder), StringComparison.Ordinal);
    }

    [Fact]
    public void Pickle_IsNeverRead()
    {
        using var folder = new TemporaryFolder();
        folder.Write("pytorch_model.bin", "cos\nsystem\n");
        Assert.Contains("pytorch_model.bin may be a pickle file", Refusal(folder), StringComparison.Ordinal);
    }

    [Fact]
    public void BothForms_AreOneTooMany()
    {
        using var folder = new TemporaryFolder();
        WritePart(folder, "model.safetensors", "a", 1);
        WriteIndex(folder, ("a", "model.safetensors"));
        Assert.Contains("has both", Refusal(folder), StringComparison.Ordinal);
    }

    [Fact]
    public void OtherTypes_AreNoWeights()
    {
        using var folder = new TemporaryFolder();
        folder.Write(
            "model.safetensors",
            File("""{"x":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}"""u8.ToArray(), new byte[4])
        );
        using var files = WeightFiles.Open(folder.Path);
        Assert.Contains(
            "x is I32. Weights can be F32, F16 or BF16",
            Assert.Throws<DataFormatException>(() => files.Read("x", (_, _) => { })).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void AFileThatShrinks_IsNamed()
    {
        using var folder = new TemporaryFolder();
        WritePart(folder, "model.safetensors", "a", 1);
        using var files = WeightFiles.Open(folder.Path);

        // By another program, which asks nobody's leave.
        using (var truncate = System.Diagnostics.Process.Start("truncate", ["-s", "-2", folder["model.safetensors"]]))
        {
            truncate.WaitForExit();
        }

        Assert.Contains(
            "has become shorter",
            Assert.Throws<DataFormatException>(() => files.Read("a", (_, _) => { })).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void ChangedIndexes_GiveErrorsOfOurOwn()
    {
        byte[] sample = Encoding.UTF8.GetBytes(
            """{"metadata":{"total_size":8},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}"""
        );
        new MutationFuzz(sample).Run(file => WeightFiles.ParseIndex("index", file));
    }

    private static string Refusal(TemporaryFolder folder) =>
        Assert.Throws<DataFormatException>(() => WeightFiles.Open(folder.Path)).Message;

    private static void WritePart(TemporaryFolder folder, string file, string tensor, float value) =>
        SafeTensorsFile.WriteFloat32(folder[file], [(tensor, [1], () => BitConverter.GetBytes(value))], NoText);

    private static void WriteIndex(TemporaryFolder folder, params (string Tensor, string File)[] places) =>
        folder.Write(
            WeightFiles.IndexFile,
            new JsonObject
            {
                ["weight_map"] = new JsonObject(
                    places.Select(place => KeyValuePair.Create(place.Tensor, (JsonNode?)place.File))
                ),
            }.ToJsonString()
        );

    private static byte[] File(byte[] header, byte[] data)
    {
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        return [.. length, .. header, .. data];
    }
}
