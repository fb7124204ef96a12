using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Saltern.ModelFiles;

namespace Saltern.Tests.ModelFiles;

/// <summary>Changes weights files by hand, as they lie on the disk.</summary>
internal static class PublishedFile
{
    /// <summary>Overwrites the first bytes of a tensor.</summary>
    public static void Overwrite(string path, string tensor, ReadOnlySpan<byte> bytes)
    {
        SafeTensorsEntry entry = SafeTensorsFile.ReadHeader(path).Single(entry => entry.Name == tensor);
        using FileStream file = File.OpenWrite(path);
        file.Position = entry.Offset;
        file.Write(bytes);
    }

    /// <summary>Gives a tensor another name.</summary>
    public static void Rename(string path, string tensor, string name)
    {
        byte[] all = File.ReadAllBytes(path);
        int length = (int)BinaryPrimitives.ReadInt64LittleEndian(all);
        JsonObject header = JsonNode.Parse(all.AsSpan(8, length))!.AsObject();
        JsonNode entry = header[tensor]!;
        header.Remove(tensor);
        header[name] = entry;
        byte[] text = Encoding.UTF8.GetBytes(header.ToJsonString());
        byte[] size = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(size, text.Length);
        File.WriteAllBytes(path, [.. size, .. text, .. all.AsSpan(8 + length)]);
    }

    /// <summary>Adds keys to a JSON file.</summary>
    /// <param name="keys">The inside of a JSON object.</param>
    public static void AddKeys(string path, string keys)
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        foreach ((string key, JsonNode? value) in JsonNode.Parse("{" + keys + "}")!.AsObject())
        {
            json[key] = value?.DeepClone();
        }

        File.WriteAllText(path, json.ToJsonString());
    }
}
