using System.Buffers.Binary;
using System.Text;
using Saltern.Checkpoints;
using Saltern.Tests.Data;

namespace Saltern.Tests.Checkpoints;

public class SafeTensorsFileTests
{
    [Fact]
    public void WrittenFile_HasTheDocumentedBytes()
    {
        using var folder = new TemporaryFolder();
        string path = folder["a.safetensors"];
        SafeTensorsFile.WriteFloat32(path, [("x", [2], () => new byte[] { 0, 0, 128, 63, 0, 0, 0, 64 })], new Dictionary<string, string> { ["format"] = "pt" });
        byte[] file = File.ReadAllBytes(path);
        int header = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        Assert.Equal("""{"__metadata__":{"format":"pt"},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", Encoding.UTF8.GetString(file, 8, header).TrimEnd());
        Assert.Equal(0, (8 + header) % 64);
        Assert.Equal([0, 0, 128, 63, 0, 0, 0, 64], file[(8 + header)..]);
        SafeTensorsEntry entry = Assert.Single(SafeTensorsFile.ReadHeader(path));
        Assert.Equal(("x", "F32", 8L + header, 8L), (entry.Name, entry.Type, entry.Offset, entry.Length));
    }

    [Theory]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}", 8, "damaged")]                                   // no closing brace
    [InlineData("{\"x\":{\"dtype\":\"F99\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "type 'F99'")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "needs 12")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "impossible")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "impossible")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, "truncated")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 12, "something after its end")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "hole")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"y\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "overlap")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "damaged")]
    [InlineData("{\"x\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,8]}}", 8, "damaged")]               // overflow
    [InlineData("{\"x\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "damaged")]
    [InlineData("[1]", 0, "damaged")]
    public void HostileHeaders_AreNamed(string header, int dataBytes, string expected)
    {
        using var folder = new TemporaryFolder();
        byte[] text = Encoding.UTF8.GetBytes(header), file = new byte[8 + text.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(file, text.Length);
        text.CopyTo(file, 8);
        string path = folder.Write("hostile.safetensors", file);
        string message = Assert.Throws<DataFormatException>(() => SafeTensorsFile.ReadHeader(path)).Message;
        Assert.Contains(path, message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
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
        Assert.Contains("claims", Assert.Throws<DataFormatException>(() => SafeTensorsFile.ReadHeader(path)).Message, StringComparison.Ordinal);
    }
}
