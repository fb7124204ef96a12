using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
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

    /// <summary>Gemma's has 580,604.</summary>
    private const int MaximumMerges = 1 << 22;

    /// <summary>Bytes of a Unigram's piece: each place of a text is looked up as far as the longest one goes.</summary>
    private const int LongestPiece = 1024;

    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false };

    /// <summary>Reads the file and builds from it; every failure carries the file's name.</summary>
    /// <exception cref="DataFormatException">The file is missing, too large, damaged or of another kind.</exception>
    public static T Read<T>(string path, Func<TokenizerDefinition, T> build) =>
        Read(path, () => ReadWhole(path), build);

    /// <summary>As <see cref="Read{T}(string, Func{TokenizerDefinition, T})"/>, from what the file holds.</summary>
    internal static T Read<T>(string path, byte[] content, Func<TokenizerDefinition, T> build) =>
        Read(path, () => content, build);

    private static T Read<T>(string path, Func<byte[]> content, Func<TokenizerDefinition, T> build)
    {
        try
        {
            var bytes = content();
            using var document = Parse(bytes);
            return build(Read(new JsonPlace(document.RootElement, "")) with { Source = bytes });
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

    private static TokenizerDefinition Read(JsonPlace root)
    {
        foreach (var name in (string[])["truncation", "padding"])
        {
            root.Optional(name)?.Fail("null: texts are encoded whole; remove it");
        }

        var model = root.Required("model");
        var kind = KindOf(model, root.Optional("pre_tokenizer"));
        var added = ReadAddedTokens(root.Optional("added_tokens"));
        var (ids, scores) = ReadVocabulary(model.Required("vocab"), kind);
        var preTokenizer = TokenizerJsonPipeline.ReadPreTokenizer(root.Optional("pre_tokenizer"));
        var normalizers = NormalizerReader.Read(root.Optional("normalizer"));
        var decoder = ReadDecoder(root, kind);
        var tokens = PlaceTokens(ids, added, root.Optional("added_tokens"), spelling => Entry(spelling, kind, decoder));
        var (before, behind) = TokenizerJsonPipeline.ReadPostProcessor(root.Optional("post_processor"), tokens.Length);

        var definition = new TokenizerDefinition
        {
            Model = kind,
            Tokens = tokens,
            Merges = kind == TokenModel.Unigram ? [] : ReadMerges(model.Required("merges"), ids),
            Scores = scores,
            AddedTokens = [.. added.OrderBy(token => token.Id)],
            Normalizers = normalizers,
            PreTokenizer = preTokenizer,
            IgnoresMergesOfWholeWords = model.Optional("ignore_merges")?.Boolean() ?? false,
            Unknown = kind == TokenModel.Unigram ? ReadUnknownPiece(model, scores.Length) : ReadUnknown(model, ids),
            FallsBackToBytes = model.Optional("byte_fallback")?.Boolean() ?? false,
            Decoder = decoder,
            BeforeText = before,
            BehindText = behind,
        };
        if (kind == TokenModel.ByteLevelBpe && definition.FallsBackToBytes && definition.SingleByteIds().Contains(-1))
        {
            model.Required("byte_fallback").Fail("false in a byte-level vocabulary that lacks bytes");
        }

        return definition;
    }

    private static TokenModel KindOf(JsonPlace model, JsonPlace? preTokenizer)
    {
        // Files before 2020 leave the type out; vocabulary and merges then say it.
        var type = model.Optional("type");
        if (
            type?.Text() == "Unigram"
            || (type is null && model.Required("vocab").Element.ValueKind == JsonValueKind.Array)
        )
        {
            if (TokenizerJsonPipeline.IsByteLevel(preTokenizer))
            {
                (type ?? model).Fail("\"BPE\" with a pre_tokenizer ByteLevel");
            }

            return TokenModel.Unigram;
        }

        if (type is { } other && other.Text() != "BPE")
        {
            other.Fail("\"BPE\" or \"Unigram\"");
        }

        if (model.Optional("dropout") is { } dropout && dropout.Number() != 0)
        {
            dropout.Fail("null: merging must not depend on chance");
        }

        foreach (var name in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (model.Optional(name) is { } affix && affix.Text().Length > 0)
            {
                affix.Fail(
                    "null: no language model in use marks the parts of words so, and nothing here would join them again"
                );
            }
        }

        return TokenizerJsonPipeline.IsByteLevel(preTokenizer) ? TokenModel.ByteLevelBpe : TokenModel.CharacterBpe;
    }

    private static TokenDecoder ReadDecoder(JsonPlace root, TokenModel kind)
    {
        var place = root.Required("decoder");
        if (kind != TokenModel.ByteLevelBpe)
        {
            return TokenizerJsonPipeline.ReadDecoder(place);
        }

        TokenizerJsonPipeline.CheckByteLevelDecoder(place);
        return TokenDecoder.Plain;
    }

    // For text without an entry. Published files lack the bytes that UTF-8 never has (GPT-NeoX), or rare ones besides (SmolLM).
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

    private static UnknownToken ReadUnknownPiece(JsonPlace model, int pieces) =>
        new(model.Required("unk_id").Index(pieces), Fuses: true);

    private static VocabularyEntry Entry(string spelling, TokenModel kind, TokenDecoder decoder)
    {
        if (kind == TokenModel.ByteLevelBpe)
        {
            var bytes = ByteAlphabet.Read(spelling);
            return new VocabularyEntry(bytes ?? Encoding.UTF8.GetBytes(spelling), IsLiteral: bytes is null);
        }

        var text = TokenDecoder.ByteOf(spelling) is { } value ? [value] : decoder.Bytes(spelling);
        return new VocabularyEntry(text, IsLiteral: false) { Written = spelling };
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

    private static (Dictionary<string, int> Ids, double[] Scores) ReadVocabulary(JsonPlace place, TokenModel kind)
    {
        var ids = new Dictionary<string, int>();
        if (kind != TokenModel.Unigram)
        {
            foreach (var (spelling, id) in place.Properties())
            {
                ids.Add(spelling, id.Index(MaximumVocabularySize));
            }

            return (ids, []);
        }

        var scores = new List<double>();
        foreach (var item in place.Items())
        {
            JsonPlace[] pair = [.. item.Items()];
            if (pair.Length != 2 || !double.IsFinite(pair[1].Number()))
            {
                item.Fail("a piece and its score");
            }

            var spelling = pair[0].Text();
            if (Encoding.UTF8.GetByteCount(spelling) > LongestPiece)
            {
                pair[0].Fail($"a piece of at most {LongestPiece} bytes");
            }

            if (scores.Count == MaximumVocabularySize || !ids.TryAdd(spelling, scores.Count))
            {
                pair[0].Fail($"one of at most {MaximumVocabularySize} pieces, each once");
            }

            scores.Add(pair[1].Number());
        }

        return (ids, [.. scores]);
    }

    private static VocabularyEntry?[] PlaceTokens(
        Dictionary<string, int> ids,
        List<AddedToken> added,
        JsonPlace? addedPlace,
        Func<string, VocabularyEntry> entry
    )
    {
        var contents = added.ToDictionary(token => token.Content, token => token.Id);
        var size = Math.Max(ids.Values.DefaultIfEmpty(-1).Max(), contents.Values.DefaultIfEmpty(-1).Max()) + 1;
        if (size > MaximumHoles + (2L * (ids.Count + contents.Count)))
        {
            throw new DataFormatException(
                $"the largest id is {size - 1}, but there are {ids.Count + contents.Count} tokens; ids are expected to follow one another"
            );
        }

        var tokens = new VocabularyEntry?[size];
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

            tokens[id] = entry(spelling);
            if (contents.ContainsKey(spelling))
            {
                tokens[id] = tokens[id]!.Value.Written is null
                    ? new VocabularyEntry(Encoding.UTF8.GetBytes(spelling), IsLiteral: true)
                    : tokens[id]!.Value with
                    {
                        IsLiteral = true,
                    };
            }
        }

        return tokens;
    }

    private static List<Merge> ReadMerges(JsonPlace place, Dictionary<string, int> ids)
    {
        place.RequireList();
        var count = place.Element.GetArrayLength();
        if (count > MaximumMerges)
        {
            place.Fail($"a list of at most {MaximumMerges} merges", $"one of {count}");
        }

        // Half a million of them are usual: places are named only where one is wrong.
        var merges = new List<Merge>(count);
        foreach (var element in place.Element.EnumerateArray())
        {
            var (left, right) = ReadPair(element);
            if (
                left is { Length: > 0 }
                && right is { Length: > 0 }
                && ids.TryGetValue(left, out var leftId)
                && ids.TryGetValue(right, out var rightId)
                && ids.TryGetValue(left + right, out var result)
            )
            {
                merges.Add(new Merge(leftId, rightId, result));
            }
            else
            {
                FailMerge(new JsonPlace(element, $"{place.Path}[{merges.Count}]"), ids);
            }
        }

        return merges;
    }

    // "a b" up to 2024, ["a", "b"] since.
    private static (string? Left, string? Right) ReadPair(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Array when element.GetArrayLength() == 2:
                var (left, right) = (element[0], element[1]);
                bool isText = left.ValueKind == JsonValueKind.String && right.ValueKind == JsonValueKind.String;
                return isText ? (new JsonPlace(left, "").Text(), new JsonPlace(right, "").Text()) : (null, null);
            case JsonValueKind.String:
                var both = new JsonPlace(element, "").Text();
                var blank = both.IndexOf(' ', StringComparison.Ordinal);
                var isPair = blank >= 0 && both.LastIndexOf(' ') == blank;
                return isPair ? (both[..blank], both[(blank + 1)..]) : (null, null);
            default:
                return (null, null);
        }
    }

    [DoesNotReturn]
    private static void FailMerge(JsonPlace item, Dictionary<string, int> ids)
    {
        var (left, right) = ReadPair(item.Element);
        if (left is { Length: > 0 } && right is { Length: > 0 })
        {
            var missing = ((string[])[left, right, left + right]).First(spelling => !ids.ContainsKey(spelling));
            item.Fail($"tokens of model.vocab; \"{missing}\" is not there");
        }

        item.Fail("two tokens, as \"a b\" or [\"a\", \"b\"]");
    }
}
