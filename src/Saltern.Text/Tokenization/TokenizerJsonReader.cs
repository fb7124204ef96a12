using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Unicode;

namespace Saltern.Tokenization;

/// <summary>Reads tokenizer.json strictly: what would change ids and is not understood is an error that names it.</summary>
internal static class TokenizerJsonReader
{
    /// <summary>The largest files in use are about 35 MB; parsing takes some ten times a file's size.</summary>
    private const long MaximumFileBytes = 256L << 20;

    /// <summary>Far above any vocabulary in use; keeps a damaged id from asking for gigabytes.</summary>
    public const int MaximumVocabularySize = 1 << 22;

    /// <summary>Ids that a vocabulary may leave out besides as many as it has: holes cost memory that no byte of the file stands for.</summary>
    private const int MaximumHoles = 1 << 16;

    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false };

    /// <summary>Reads the file and builds from it; every failure carries the file's name.</summary>
    /// <exception cref="DataFormatException">The file is missing, too large, damaged or of another kind.</exception>
    public static T Read<T>(string path, Func<BpeDefinition, T> build) => Read(path, () => ReadWhole(path), build);

    /// <summary>As <see cref="Read{T}(string, Func{BpeDefinition, T})"/>, from what the file holds.</summary>
    internal static T Read<T>(string path, byte[] content, Func<BpeDefinition, T> build) =>
        Read(path, () => content, build);

    private static T Read<T>(string path, Func<byte[]> content, Func<BpeDefinition, T> build)
    {
        try
        {
            using var document = Parse(content());
            return build(Read(new JsonPlace(document.RootElement, "")));
        }
        catch (DataFormatException error)
        {
            throw new DataFormatException($"{path}: {error.Message}", error);
        }
        catch (JsonException error)
        {
            throw new DataFormatException($"{path}: no valid JSON, so no tokenizer.json: {error.Message}", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new DataFormatException($"{path}: the tokenizer cannot be read: {error.Message}", error);
        }
    }

    private static byte[] ReadWhole(string path)
    {
        // The length first: a pipe, which would wait for ever, has none.
        var file = new FileInfo(path);
        if (file is { Exists: true, Length: 0 })
        {
            throw new DataFormatException("no valid JSON, so no tokenizer.json: the file is empty");
        }

        if (file is { Exists: true, Length: > MaximumFileBytes })
        {
            throw new DataFormatException($"the file has {file.Length} bytes; at most {MaximumFileBytes} are read");
        }

        return File.ReadAllBytes(path);
    }

    private static JsonDocument Parse(byte[] bytes)
    {
        try
        {
            ReadOnlyMemory<byte> text = bytes;
            if (text.Span.StartsWith(Encoding.UTF8.Preamble))
            {
                text = text[Encoding.UTF8.Preamble.Length..];
            }

            // The parser looks at bytes of names and texts only when they are asked for:
            // once here instead of at every place that shows one.
            if (Utf8.IsValid(text.Span))
            {
                return JsonDocument.Parse(text, Options);
            }

            throw new DataFormatException("it is no valid UTF-8");
        }
        catch (InvalidOperationException error)
        {
            // The search for names that occur twice reads every name, and half a surrogate pair is none.
            throw new DataFormatException($"a name in it is no valid Unicode: {error.Message}", error);
        }
    }

    private static BpeDefinition Read(JsonPlace root)
    {
        foreach (var name in (string[])["truncation", "padding"])
        {
            root.Optional(name)?.Fail("null: texts are encoded whole; remove it");
        }

        var model = root.Required("model");
        CheckModel(model);
        var composesText = TokenizerJsonPipeline.ReadNormalizer(root.Optional("normalizer"));
        var added = ReadAddedTokens(root.Optional("added_tokens"));
        var ids = ReadVocabulary(model.Required("vocab"));
        var tokens = PlaceTokens(ids, added, root.Optional("added_tokens"));
        TokenizerJsonPipeline.CheckDecoder(root.Optional("decoder"), root);
        var (before, behind) = TokenizerJsonPipeline.ReadPostProcessor(root.Optional("post_processor"), tokens.Length);

        return new BpeDefinition
        {
            Tokens = tokens,
            Merges = ReadMerges(model.Required("merges"), ids),
            AddedTokens = [.. added.OrderBy(token => token.Id)],
            PreTokenizer = TokenizerJsonPipeline.ReadPreTokenizer(root.Required("pre_tokenizer")),
            IgnoresMergesOfWholeWords = model.Optional("ignore_merges")?.Boolean() ?? false,
            ComposesText = composesText,
            Unknown = ReadUnknown(model, ids),
            BeforeText = before,
            BehindText = behind,
            PostProcessor = root.Optional("post_processor") is { } place
                ? JsonNode.Parse(place.Element.GetRawText())
                : null,
        };
    }

    private static void CheckModel(JsonPlace model)
    {
        // Files before 2020 leave the type out; vocabulary and merges then say it.
        if (model.Optional("type") is { } type && type.Text() != "BPE")
        {
            type.Fail("\"BPE\"");
        }

        if (model.Optional("dropout") is { } dropout && dropout.Number() != 0)
        {
            dropout.Fail("null: merging must not depend on chance");
        }

        foreach (var name in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (model.Optional(name) is { } affix && affix.Text().Length > 0)
            {
                affix.Fail("null: a byte-level vocabulary has none");
            }
        }
    }

    // For bytes without an entry. Published files lack those that UTF-8 never has (GPT-NeoX), or rare ones besides (SmolLM).
    private static UnknownToken ReadUnknown(JsonPlace model, Dictionary<string, int> ids)
    {
        int? unknown = null;
        if (model.Optional("unk_token") is { } token)
        {
            if (!ids.TryGetValue(token.Text(), out var id))
            {
                token.Fail("null, or a token of model.vocab");
            }

            unknown = id;
        }

        return new UnknownToken(unknown, model.Optional("fuse_unk")?.Boolean() ?? false);
    }

    private static List<AddedToken> ReadAddedTokens(JsonPlace? place)
    {
        var tokens = new List<AddedToken>();
        var contents = new HashSet<string>();
        foreach (var item in place?.Items() ?? [])
        {
            var id = item.Required("id");
            var content = item.Required("content");
            if (content.Text().Length == 0 || !contents.Add(content.Text()))
            {
                content.Fail("text that no other added token has");
            }

            tokens.Add(
                new AddedToken(
                    id.Index(MaximumVocabularySize),
                    content.Text(),
                    item.Required("special").Boolean(),
                    item.Optional("normalized")?.Boolean() ?? !item.Required("special").Boolean()
                )
                {
                    IsSingleWord = item.Optional("single_word")?.Boolean() ?? false,
                    TakesBlanksBefore = item.Optional("lstrip")?.Boolean() ?? false,
                    TakesBlanksAfter = item.Optional("rstrip")?.Boolean() ?? false,
                }
            );
        }

        return tokens;
    }

    private static Dictionary<string, int> ReadVocabulary(JsonPlace place)
    {
        var ids = new Dictionary<string, int>();
        foreach (var (spelling, id) in place.Properties())
        {
            ids.Add(spelling, id.Index(MaximumVocabularySize));
        }

        return ids;
    }

    private static BpeToken?[] PlaceTokens(Dictionary<string, int> ids, List<AddedToken> added, JsonPlace? addedPlace)
    {
        var contents = added.ToDictionary(token => token.Content, token => token.Id);
        var size = Math.Max(ids.Values.DefaultIfEmpty(-1).Max(), contents.Values.DefaultIfEmpty(-1).Max()) + 1;
        if (size > MaximumHoles + (2L * (ids.Count + contents.Count)))
        {
            throw new DataFormatException(
                $"the largest id is {size - 1}, but there are {ids.Count + contents.Count} tokens; ids are expected to follow one another"
            );
        }

        var tokens = new BpeToken?[size];
        foreach (var (spelling, id) in ids.Concat(contents.Where(content => !ids.ContainsKey(content.Key))))
        {
            if (tokens[id] is { } other)
            {
                throw new DataFormatException(
                    $"id {id} belongs to both \"{other.Spelling}\" and \"{spelling}\"; each token needs its own"
                );
            }

            if (contents.TryGetValue(spelling, out var addedId) && addedId != id)
            {
                addedPlace!.Value.Fail($"\"{spelling}\" with the id {id} that it has in model.vocab", $"id {addedId}");
            }

            var bytes = contents.ContainsKey(spelling) ? null : ByteAlphabet.Read(spelling);
            tokens[id] = new BpeToken(bytes ?? Encoding.UTF8.GetBytes(spelling), IsLiteral: bytes is null);
        }

        return tokens;
    }

    private static List<Merge> ReadMerges(JsonPlace place, Dictionary<string, int> ids)
    {
        var merges = new List<Merge>();
        foreach (var item in place.Items())
        {
            // "a b" up to 2024, ["a", "b"] since.
            bool isList = item.Element.ValueKind == JsonValueKind.Array;
            string[] pair = isList ? [.. item.Items().Select(part => part.Text())] : item.Text().Split(' ');
            if (pair.Length != 2)
            {
                item.Fail("two tokens, as \"a b\" or [\"a\", \"b\"]");
            }

            merges.Add(new Merge(Id(pair[0], item), Id(pair[1], item), Id(pair[0] + pair[1], item)));
        }

        return merges;

        int Id(string spelling, JsonPlace item)
        {
            if (ids.TryGetValue(spelling, out var id))
            {
                return id;
            }

            return item.Fail<int>($"tokens of model.vocab; \"{spelling}\" is not there");
        }
    }
}
