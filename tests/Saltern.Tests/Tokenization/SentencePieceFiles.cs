using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

/// <summary>Small tokenizer.json files of the forms that SentencePiece's models have, learned from the sample texts.</summary>
internal static class SentencePieceFiles
{
    // Characters that stay unknown.
    private static readonly SearchValues<char> Unknown = SearchValues.Create("\00中😀é");

    private const int LongestPiece = 6;

    /// <summary>As Llama 2's: "▁" in front and for blanks, bytes for unknown characters, no pre-tokenizer.</summary>
    public static JsonObject Llama() =>
        Bpe(
            """
            {"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},
             {"type":"Replace","pattern":{"String":" "},"content":"▁"}]}
            """,
            "null"
        );

    /// <summary>As the same models are written since 2024.</summary>
    public static JsonObject LlamaMetaspace() =>
        Bpe("null", """{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}""");

    /// <summary>As Gemma's: nothing in front, runs of blanks as added tokens.</summary>
    public static JsonObject Gemma()
    {
        var root = Bpe(
            """{"type":"Replace","pattern":{"String":" "},"content":"▁"}""",
            """{"type":"Split","pattern":{"String":" "},"behavior":"MergedWithPrevious","invert":false}"""
        );
        root["decoder"]!["decoders"]!.AsArray().RemoveAt(3);
        var vocabulary = root["model"]!["vocab"]!.AsObject();
        foreach (var content in (string[])["\n\n", "\t\t", "▁▁▁"])
        {
            vocabulary[content] ??= vocabulary.Count;
            root["added_tokens"]!.AsArray().Add(Added(vocabulary[content]!.GetValue<int>(), content, isSpecial: false));
        }

        return root;
    }

    /// <summary>As T5's: a table of replacements, pieces by probability, a blank in front of each word.</summary>
    public static JsonObject T5() =>
        Unigram(
            $$"""
            {"type":"Sequence","normalizers":[{{Precompiled()}},{"type":"Strip","strip_left":false,"strip_right":true},
             {"type":"Replace","pattern":{"Regex":" {2,}"},"content":"▁"}]}
            """,
            """{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}"""
        );

    /// <summary>As XLM-R's files of 2020.</summary>
    public static JsonObject XlmRoberta() =>
        Unigram(
            Precompiled(),
            """
            {"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},
             {"type":"Metaspace","replacement":"▁","str_rep":"▁","add_prefix_space":true}]}
            """
        );

    /// <summary>As ALBERT's.</summary>
    public static JsonObject Albert() =>
        Unigram(
            $$"""
            {"type":"Sequence","normalizers":[{"type":"Replace","pattern":{"String":"``"},"content":"\""},{"type":"NFKD"},
             {"type":"StripAccents"},{"type":"Lowercase"},{{Precompiled()}},{"type":"Nmt"}]}
            """,
            """{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}"""
        );

    /// <summary>A BPE over characters.</summary>
    /// <param name="normalizer">JSON.</param>
    /// <param name="preTokenizer">JSON.</param>
    public static JsonObject Bpe(string normalizer, string preTokenizer)
    {
        var vocabulary = new JsonObject
        {
            ["<unk>"] = 0,
            ["<s>"] = 1,
            ["</s>"] = 2,
        };
        for (var value = 0; value < 256; value++)
        {
            vocabulary[CharacterSymbols.ByteName((byte)value)] = vocabulary.Count;
        }

        // Every split of a piece into two others is a rule, as the converters of such models write it.
        List<string> pieces = [.. Pieces()];
        HashSet<string> known = [.. pieces];
        var merges = new JsonArray();
        foreach (var piece in pieces)
        {
            vocabulary[piece] = vocabulary.Count;
            for (var i = 1; i < piece.Length; i++)
            {
                if (known.Contains(piece[..i]) && known.Contains(piece[i..]))
                {
                    merges.Add(new JsonArray(piece[..i], piece[i..]));
                }
            }
        }

        return new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = Special(),
            ["normalizer"] = JsonNode.Parse(normalizer),
            ["pre_tokenizer"] = JsonNode.Parse(preTokenizer),
            ["post_processor"] = null,
            ["decoder"] = JsonNode.Parse(
                """
                {"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
                 {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}
                """
            ),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = "<unk>",
                ["continuing_subword_prefix"] = null,
                ["end_of_word_suffix"] = null,
                ["fuse_unk"] = true,
                ["byte_fallback"] = true,
                ["vocab"] = vocabulary,
                ["merges"] = merges,
            },
        };
    }

    /// <summary>A Unigram.</summary>
    /// <param name="normalizer">JSON.</param>
    /// <param name="preTokenizer">JSON.</param>
    public static JsonObject Unigram(string normalizer, string preTokenizer)
    {
        var vocabulary = new JsonArray(Piece("<unk>", 0), Piece("<s>", 0), Piece("</s>", 0));
        var rank = 0;
        foreach (var piece in Pieces())
        {
            vocabulary.Add(Piece(piece, -Math.Log(++rank + 2) - 3));
        }

        var metaspace = """{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}""";
        return new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = Special(),
            ["normalizer"] = JsonNode.Parse(normalizer),
            ["pre_tokenizer"] = JsonNode.Parse(preTokenizer),
            ["post_processor"] = null,
            ["decoder"] = JsonNode.Parse(metaspace),
            ["model"] = new JsonObject
            {
                ["type"] = "Unigram",
                ["unk_id"] = 0,
                ["vocab"] = vocabulary,
            },
        };
    }

    /// <summary>A table of replacements as SentencePiece stores it: the double array of its keys, then the texts.</summary>
    public static byte[] Table(params (string Key, string Text)[] entries)
    {
        var texts = new MemoryStream();
        var root = new Node();
        foreach (var (key, text) in entries)
        {
            var node = root;
            foreach (var value in Encoding.UTF8.GetBytes(key))
            {
                node.Children.TryAdd(value, new Node());
                node = node.Children[value];
            }

            node.Text = (int)texts.Position;
            texts.Write(Encoding.UTF8.GetBytes(text + "\0"));
        }

        uint[] units = Place(root);
        var table = new byte[(units.Length + 1) * sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(table, (uint)(units.Length * sizeof(uint)));
        for (var i = 0; i < units.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan((i + 1) * sizeof(uint)), units[i]);
        }

        return [.. table, .. texts.ToArray()];
    }

    // Each node's children lie at its base, changed by their byte; the value of a key at the base itself.
    private static uint[] Place(Node root)
    {
        const int Size = 1 << 16;
        var units = new uint[Size];
        var used = new bool[Size];
        used[0] = true;
        Place(root, 0, label: 0);
        return units;

        void Place(Node node, uint at, uint label)
        {
            byte[] labels = [.. node.Children.Keys];
            uint start = 1;
            while (
                (node.Text is not null && used[start ^ at ^ 0])
                || labels.Any(value => used[at ^ start ^ value])
                || (at ^ start ^ 0xFF) >= Size
            )
            {
                start++;
            }

            units[at] = label | (start << 10) | (node.Text is null ? 0 : 1u << 8);
            if (node.Text is int text)
            {
                used[at ^ start] = true;
                units[at ^ start] = (uint)text | 0x80000000;
            }

            foreach (var value in labels)
            {
                used[at ^ start ^ value] = true;
            }

            foreach (var value in labels)
            {
                Place(node.Children[value], at ^ start ^ value, value);
            }
        }
    }

    private static string Precompiled()
    {
        byte[] table = Table(
            ("\t", " "),
            ("\n", " "),
            ("\r", " "),
            ("\u00A0", " "),
            ("\u3000", " "),
            ("\u200B", " "),
            ("\u001B", ""),
            ("ﬁ", "fi"),
            ("½", "1⁄2"),
            ("ｱ", "ア"),
            ("ｶ\uFF9E", "ガ"),
            ("e\u0301", "é"),
            ("a\u0308", "ä"),
            ("Ａ", "A"),
            ("…", "...")
        );
        return $$"""{"type":"Precompiled","precompiled_charsmap":"{{Convert.ToBase64String(table)}}"}""";
    }

    // All characters of the samples but some, and what their words have in common; the most frequent first.
    private static IEnumerable<string> Pieces()
    {
        var counts = new Dictionary<string, int>();
        foreach (var word in SampleTexts.All.SelectMany(text => text.Split(' ')).Select(word => "▁" + word))
        {
            string[] characters = [.. word.EnumerateRunes().Select(rune => rune.ToString())];
            for (var start = 0; start < characters.Length; start++)
            {
                for (var length = 1; length <= LongestPiece && start + length <= characters.Length; length++)
                {
                    var piece = string.Concat(characters[start..(start + length)]);
                    counts[piece] = counts.GetValueOrDefault(piece) + 1;
                }
            }
        }

        // Some characters stay unknown.
        return counts
            .Where(entry => !entry.Key.AsSpan().ContainsAny(Unknown) && (entry.Value > 1 || entry.Key.Length == 1))
            .OrderByDescending(entry => entry.Value * entry.Key.Length)
            .ThenBy(entry => entry.Key, StringComparer.Ordinal)
            .Select(entry => entry.Key);
    }

    private static JsonArray Piece(string spelling, double score) => new(spelling, score);

    private static JsonArray Special() =>
        new(Added(0, "<unk>", isSpecial: true), Added(1, "<s>", isSpecial: true), Added(2, "</s>", isSpecial: true));

    private static JsonObject Added(int id, string content, bool isSpecial) =>
        new()
        {
            ["id"] = id,
            ["content"] = content,
            ["single_word"] = false,
            ["lstrip"] = false,
            ["rstrip"] = false,
            ["normalized"] = false,
            ["special"] = isSpecial,
        };

    private sealed class Node
    {
        public SortedDictionary<byte, Node> Children { get; } = [];

        public int? Text { get; set; }
    }
}
