using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Saltern.RunFiles;

/// <summary>A recipe as a flat list of dotted keys, for showing what differs between two runs.</summary>
internal static class RecipeKeys
{
    private const int DeepestNesting = 32;

    /// <summary>Every scalar by its dotted path, <c>optimizer.betas[0]</c>; empty where the text is not one YAML mapping.</summary>
    public static IReadOnlyDictionary<string, string> Flatten(string yaml)
    {
        Dictionary<string, string> keys = [];
        try
        {
            YamlStream stream = new();
            stream.Load(new StringReader(yaml));
            if (stream.Documents is [{ RootNode: YamlMappingNode root }])
            {
                Add(keys, "", root, 0);
            }
        }
        catch (YamlException)
        {
            // The full text is shown beside the differences; a report must not fail over a recipe that someone edited later.
            keys.Clear();
        }

        return keys;
    }

    private static void Add(Dictionary<string, string> keys, string path, YamlNode node, int depth)
    {
        if (depth > DeepestNesting)
        {
            return;
        }

        switch (node)
        {
            case YamlMappingNode mapping:
                foreach ((YamlNode key, YamlNode value) in mapping)
                {
                    Add(keys, path.Length == 0 ? $"{key}" : $"{path}.{key}", value, depth + 1);
                }

                break;
            case YamlSequenceNode sequence:
                for (int i = 0; i < sequence.Children.Count; i++)
                {
                    Add(keys, $"{path}[{i}]", sequence[i], depth + 1);
                }

                break;
            case YamlScalarNode scalar:
                keys[path] = scalar.Value ?? "null";
                break;
        }
    }
}
