using System.Collections.Concurrent;
using System.Text;
using Saltern.Files;

namespace Saltern.Tokenization;

/// <summary>Byte-level BPE: text to token ids and back, exactly, for any bytes. Reads and writes Hugging Face's tokenizer.json.</summary>
/// <remarks>
/// Immutable and safe for any number of threads at once; each thread at work holds a small cache of words it has met.
/// Encoding gives the ids of the text alone; what a "post_processor" puts before a text stands in <see cref="BeginOfText"/>, for whoever makes documents of texts.
/// </remarks>
public sealed class BpeTokenizer
{
    /// <summary>Names of the end-of-text token, the first that a file has.</summary>
    internal static readonly string[] EndOfTextNames =
    [
        "<|endoftext|>",
        "<|end_of_text|>",
        "</s>",
        "<eos>",
        "<|eos|>",
        "[EOS]",
        "<｜end▁of▁sentence｜>",
    ];

    private readonly BpeDefinition _definition;
    private readonly MergeTable _merges;
    private readonly ByteSymbols _symbols;
    private readonly ByteWordIndex? _wholeWords;
    private readonly int[] _wholeWordIds = [];
    private readonly AddedTokenSplitter _ordinaryTokens;
    private readonly AddedTokenSplitter _allTokens;
    private readonly HashSet<int> _specialIds;
    private readonly ConcurrentBag<WordEncoder> _encoders = [];

    /// <summary>Builds the tables for encoding.</summary>
    /// <exception cref="DataFormatException">The end-of-text token is missing.</exception>
    internal BpeTokenizer(BpeDefinition definition)
    {
        _definition = definition;
        _merges = new MergeTable(definition.Merges);
        _symbols = new ByteSymbols(definition.SingleByteIds(), definition.Unknown);
        _specialIds = [.. definition.AddedTokens.Where(token => token.IsSpecial).Select(token => token.Id)];
        _allTokens = new AddedTokenSplitter(definition.AddedTokens, definition.ComposesText);
        _ordinaryTokens = new AddedTokenSplitter(
            [.. definition.AddedTokens.Where(token => !token.IsSpecial)],
            definition.ComposesText
        );
        EndOfTextId =
            EndOfTextNames
                .Select(name => definition.AddedTokens.FirstOrDefault(token => token.Content == name)?.Id)
                .FirstOrDefault(id => id is not null)
            ?? throw new DataFormatException(
                $"no added token marks the end of a text; one of {string.Join(", ", EndOfTextNames)} is needed"
            );
        if (definition.BehindText.Any(id => id != EndOfTextId))
        {
            throw new DataFormatException(
                $"\"post_processor\" puts the ids {string.Join(", ", definition.BehindText)} behind each text; "
                    + $"allowed is nothing, or the end-of-text token {EndOfTextId}"
            );
        }

        Fingerprint = TokenizerFingerprint.Of(definition);

        if (definition.IgnoresMergesOfWholeWords)
        {
            _wholeWords = new ByteWordIndex();
            var ids = new List<int>();
            for (var id = 0; id < definition.Tokens.Count; id++)
            {
                if (definition.Tokens[id] is { IsLiteral: false } token && _wholeWords.Add(token.Bytes) == ids.Count)
                {
                    ids.Add(id);
                }
            }

            _wholeWordIds = [.. ids];
        }
    }

    /// <summary>Number of ids, 0 to this less one, added and special tokens included.</summary>
    public int VocabularySize => _definition.Tokens.Count;

    /// <summary>Id of the token that ends a document: "&lt;|endoftext|&gt;" or the file's equivalent.</summary>
    public int EndOfTextId { get; }

    /// <summary>Ids that begin a document, because the file puts them before each text (a BOS token); empty for most files.</summary>
    internal IReadOnlyList<int> BeginOfText => _definition.BeforeText;

    /// <summary>"sha256:" and 64 hexadecimal digits over all that decides ids: equal content gives an equal fingerprint, however the file is laid out.</summary>
    internal Fingerprint Fingerprint { get; }

    /// <summary>What the tokenizer consists of.</summary>
    internal BpeDefinition Definition => _definition;

    /// <summary>Reads a Hugging Face tokenizer.json that holds a byte-level BPE.</summary>
    /// <exception cref="DataFormatException">The file is missing, damaged, or asks for something that cannot be honoured exactly; the message names it.</exception>
    public static BpeTokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return TokenizerJsonReader.Read(path, definition => new BpeTokenizer(definition));
    }

    /// <summary>As <see cref="Load"/>, from what the file holds.</summary>
    internal static BpeTokenizer Parse(string path, byte[] content) =>
        TokenizerJsonReader.Read(path, content, definition => new BpeTokenizer(definition));

    /// <summary>Writes a tokenizer.json that Hugging Face's library and this one read; equal tokenizers give equal files, byte for byte.</summary>
    /// <exception cref="IOException">The file cannot be written; an existing one is then left as it was.</exception>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        WholeFile.Write(path, SaveTo);
    }

    /// <summary>As <see cref="Save"/>, to a stream.</summary>
    internal void SaveTo(Stream stream) => TokenizerJsonWriter.Write(_definition, stream);

    /// <summary>Appends the ids of a text. Special tokens spelled out in it are text.</summary>
    /// <param name="utf8">Any bytes: what is not valid UTF-8 keeps its bytes (unless the tokenizer normalises, which leaves them too).</param>
    /// <param name="ids">Where the ids go.</param>
    public void Encode(ReadOnlySpan<byte> utf8, List<int> ids)
    {
        EncodeCounting(utf8, ids);
    }

    /// <summary>As <see cref="Encode(ReadOnlySpan{byte}, List{int})"/>, and counts what no token stands for.</summary>
    /// <returns>Bytes that were dropped, or given the unknown token.</returns>
    internal long EncodeCounting(ReadOnlySpan<byte> utf8, List<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return Encode(utf8, allowSpecial: false, ids);
    }

    /// <summary>As <see cref="Encode(ReadOnlySpan{byte}, List{int})"/>, with the place where each token ends in the text.</summary>
    /// <param name="ids">Where the ids go.</param>
    /// <param name="ends">Where the ends go: offsets into <paramref name="utf8"/>, one past the token's last byte. Where the tokenizer changes bytes (NFC), a token may be said to end later than it does, never earlier.</param>
    internal void EncodeWithEnds(ReadOnlySpan<byte> utf8, List<int> ids, List<int> ends)
    {
        ArgumentNullException.ThrowIfNull(ids);
        ArgumentNullException.ThrowIfNull(ends);
        int first = ids.Count;
        Encode(utf8, allowSpecial: false, ids);
        int[] added = [.. ids.Skip(first)];
        int[] lengths = [.. added.Select(id => Token(id)?.Bytes.Length ?? 0)];
        TokenEnds.Append(utf8, DecodeToBytes(added), lengths, ends);
    }

    /// <summary>The ids of a text.</summary>
    /// <param name="text">Any text; a lone surrogate becomes U+FFFD, since it has no UTF-8.</param>
    /// <param name="allowSpecial">Whether "&lt;|endoftext|&gt;" and its like, spelled out in the text, become their ids.</param>
    public int[] Encode(string text, bool allowSpecial = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new List<int>((text.Length / 3) + 1);
        Encode(Encoding.UTF8.GetBytes(text), allowSpecial, ids);
        return [.. ids];
    }

    /// <summary>The bytes of the ids, joined; special tokens are written out.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is outside the vocabulary.</exception>
    public byte[] DecodeToBytes(ReadOnlySpan<int> ids)
    {
        var bytes = new List<byte>(ids.Length * 4);
        foreach (var id in ids)
        {
            bytes.AddRange(Token(id)?.Bytes ?? []);
        }

        return [.. bytes];
    }

    /// <summary>The text of the ids; bytes that are not valid UTF-8 become U+FFFD, special tokens are written out.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is outside the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids) => Encoding.UTF8.GetString(DecodeToBytes(ids));

    /// <summary>Id of a special token by its name; null where the tokenizer has none of that name.</summary>
    internal int? SpecialTokenId(string name) =>
        _definition.AddedTokens.FirstOrDefault(token => token.IsSpecial && token.Content == name)?.Id;

    /// <summary>Bytes of text that the id stands for, the divisor of bits per byte; 0 for special tokens and for ids that nothing uses.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is outside the vocabulary.</exception>
    internal int ByteLength(int id)
    {
        if (Token(id) is { } token && !_specialIds.Contains(id))
        {
            return token.Bytes.Length;
        }

        return 0;
    }

    private BpeToken? Token(int id)
    {
        if ((uint)id < (uint)VocabularySize)
        {
            return _definition.Tokens[id];
        }

        throw new ArgumentOutOfRangeException(nameof(id), id, $"The vocabulary has ids 0 to {VocabularySize - 1}.");
    }

    private long Encode(ReadOnlySpan<byte> utf8, bool allowSpecial, List<int> ids)
    {
        if (!_encoders.TryTake(out var encoder))
        {
            encoder = new WordEncoder(_merges, _symbols, _wholeWords, _wholeWordIds);
        }

        var job = new Job(_definition.PreTokenizer, encoder, ids);
        (allowSpecial ? _allTokens : _ordinaryTokens).Split(
            utf8,
            static (text, job) => job.EncodeText(text),
            static (id, job) => job.Ids.Add(id),
            job
        );
        _encoders.Add(encoder);
        return job.Uncovered;
    }

    /// <summary>One call's pieces; a class, so that callbacks need no closure.</summary>
    private sealed class Job(PreTokenizer preTokenizer, WordEncoder encoder, List<int> ids)
    {
        public List<int> Ids => ids;

        public long Uncovered { get; private set; }

        public void EncodeText(ReadOnlySpan<byte> text) =>
            preTokenizer.Split(text, static (word, job) => job.EncodeWord(word), this);

        private void EncodeWord(ReadOnlySpan<byte> word) => Uncovered += encoder.Encode(word, ids);
    }
}
