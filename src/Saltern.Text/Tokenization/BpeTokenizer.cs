using System.Collections.Concurrent;
using System.Text;
using Saltern.Files;

namespace Saltern.Tokenization;

/// <summary>Text to token ids and back: byte-level BPE, exactly, for any bytes; and SentencePiece's models. Reads and writes Hugging Face's tokenizer.json.</summary>
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
        "<EOT>",
        "<|im_end|>",
        "<|eot_id|>",
        "<|end|>",
        "<end_of_turn>",
    ];

    private readonly TokenizerDefinition _definition;
    private readonly Func<WordEncoder> _newEncoder;
    private readonly AddedTokenSplitter _ordinaryTokens;
    private readonly AddedTokenSplitter _allTokens;
    private readonly HashSet<int> _specialIds;
    private readonly ConcurrentBag<WordEncoder> _encoders = [];

    /// <summary>Builds the tables for encoding.</summary>
    /// <param name="definition">What it consists of.</param>
    /// <param name="endOfText">Gives the id that ends a document where no added token has a usual name for it; null for none.</param>
    /// <exception cref="DataFormatException">The end-of-text token is missing.</exception>
    internal BpeTokenizer(TokenizerDefinition definition, Func<int?>? endOfText = null)
    {
        _definition = definition;
        _specialIds = [.. definition.AddedTokens.Where(token => token.IsSpecial).Select(token => token.Id)];
        _newEncoder = EncoderTables.Build(definition, _specialIds);
        _allTokens = new AddedTokenSplitter(definition.AddedTokens, definition.Normalizers);
        _ordinaryTokens = new AddedTokenSplitter(
            [.. definition.AddedTokens.Where(token => !token.IsSpecial)],
            definition.Normalizers
        );
        int? usual = EndOfTextNames
            .Select(name => definition.AddedTokens.FirstOrDefault(token => token.Content == name)?.Id)
            .FirstOrDefault(id => id is not null);
        NamesItsEnd = usual is not null;
        EndOfTextId =
            usual
            ?? endOfText?.Invoke()
            ?? throw new DataFormatException(
                $"no added token marks the end of a text; one of {string.Join(", ", EndOfTextNames)} is needed, "
                    + $"or a {EndTokenFiles.TokenizerConfigFile} beside it whose \"eos_token\" is one of the added tokens"
            );
        if (definition.BehindText.Any(id => id != EndOfTextId))
        {
            throw new DataFormatException(
                $"\"post_processor\" puts the ids {string.Join(", ", definition.BehindText)} behind each text; "
                    + $"allowed is nothing, or the end-of-text token {EndOfTextId}"
            );
        }

        PutsBlankInFront =
            definition.Normalizers.OfType<PrependNormalizer>().Any()
            || definition.PreTokenizer.Rules.Any(rule => rule.Metaspace is { Scheme: not PrependScheme.Never });
        Fingerprint = TokenizerFingerprint.Of(definition);
    }

    /// <summary>Number of ids, 0 to this less one, added and special tokens included.</summary>
    public int VocabularySize => _definition.Tokens.Count;

    /// <summary>Id of the token that ends a document: "&lt;|endoftext|&gt;" or the file's equivalent.</summary>
    public int EndOfTextId { get; }

    /// <summary>Whether that token has a usual name; the files beside tokenizer.json say it otherwise.</summary>
    internal bool NamesItsEnd { get; }

    /// <summary>Ids that begin a document, because the file puts them before each text (a BOS token); empty for most files.</summary>
    internal IReadOnlyList<int> BeginOfText => _definition.BeforeText;

    /// <summary>"sha256:" and 64 hexadecimal digits over all that decides ids: equal content gives an equal fingerprint, however the file is laid out.</summary>
    internal Fingerprint Fingerprint { get; }

    /// <summary>What the tokenizer consists of.</summary>
    internal TokenizerDefinition Definition => _definition;

    /// <summary>Reads a Hugging Face tokenizer.json that holds a BPE, over bytes or characters, or a Unigram.</summary>
    /// <exception cref="DataFormatException">The file is missing, damaged, or asks for something that cannot be honoured exactly; the message names it.</exception>
    public static BpeTokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return TokenizerJsonReader.Read(
            path,
            definition => new BpeTokenizer(
                definition,
                () =>
                    new EndTokenFiles(Path.GetDirectoryName(Path.GetFullPath(path)) ?? ".").EndOfText(
                        definition.AddedTokens
                    )
            )
        );
    }

    /// <summary>As <see cref="Load"/>, from what the file holds.</summary>
    internal static BpeTokenizer Parse(string path, byte[] content) =>
        TokenizerJsonReader.Read(path, content, definition => new BpeTokenizer(definition));

    /// <summary>Writes a tokenizer.json that Hugging Face's library and this one read: what was read is written again, byte for byte.</summary>
    /// <exception cref="IOException">The file cannot be written; an existing one is then left as it was.</exception>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        WholeFile.Write(path, SaveTo);
    }

    /// <summary>As <see cref="Save"/>, to a stream.</summary>
    internal void SaveTo(Stream stream)
    {
        if (_definition.Source is { } source)
        {
            stream.Write(source);
        }
        else
        {
            TokenizerJsonWriter.Write(_definition, stream);
        }
    }

    /// <summary>Appends the ids of a text. Special tokens spelled out in it are text.</summary>
    /// <param name="utf8">Any bytes: what is not valid UTF-8 keeps its bytes (unless the tokenizer normalises, which leaves them too), where the vocabulary has them.</param>
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
        return Encode(utf8, PiecePosition.Start, allowSpecial: false, ids);
    }

    /// <summary>Appends the ids of a text that stands behind something: SentencePiece's models put a blank in front of what begins a text alone.</summary>
    /// <param name="text">The text; special tokens spelled out in it are text.</param>
    /// <param name="position">What stands before it.</param>
    /// <param name="ids">Where the ids go.</param>
    internal void Encode(string text, PiecePosition position, List<int> ids) =>
        Encode(Encoding.UTF8.GetBytes(text), position, allowSpecial: false, ids);

    /// <summary>As <see cref="Encode(ReadOnlySpan{byte}, List{int})"/>, with the place where each token ends in the text.</summary>
    /// <param name="ids">Where the ids go.</param>
    /// <param name="ends">Where the ends go: offsets into <paramref name="utf8"/>, one past the token's last byte. Where the tokenizer changes bytes (NFC), a token may be said to end later than it does, never earlier.</param>
    /// <param name="position">What stands before the text.</param>
    internal void EncodeWithEnds(
        ReadOnlySpan<byte> utf8,
        List<int> ids,
        List<int> ends,
        PiecePosition position = PiecePosition.Start
    )
    {
        ArgumentNullException.ThrowIfNull(ids);
        ArgumentNullException.ThrowIfNull(ends);
        int first = ids.Count;
        Encode(utf8, position, allowSpecial: false, ids);
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
        Encode(Encoding.UTF8.GetBytes(text), PiecePosition.Start, allowSpecial, ids);
        return [.. ids];
    }

    /// <summary>The bytes of the ids, joined; special tokens are written out. A blank that the tokenizer puts in front of a text stays, so that ids from the middle of a text lose nothing.</summary>
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

    /// <summary>The text of the ids, as the beginning of a text: without the blank that the tokenizer may have put in front. Bytes that are not valid UTF-8 become U+FFFD, special tokens are written out.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is outside the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids)
    {
        ReadOnlySpan<byte> bytes = DecodeToBytes(ids);
        if (ids.Length > 0)
        {
            (string, int)? first = null;
            if (Token(ids[0]) is { Written: { } spelling } token)
            {
                first = (spelling, token.Bytes.Length);
            }

            bytes = _definition.Decoder.WithoutFront(bytes, first);
        }

        return Encoding.UTF8.GetString(bytes);
    }

    /// <summary>The text of ids that go on with a text: as <see cref="Decode"/>, with the blank that the first token may begin with.</summary>
    internal string DecodeContinuation(ReadOnlySpan<int> ids) => Encoding.UTF8.GetString(DecodeToBytes(ids));

    /// <summary>Whether a text's tokens begin with a blank that the text does not have, as SentencePiece's models put it there.</summary>
    internal bool PutsBlankInFront { get; }

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

    private VocabularyEntry? Token(int id)
    {
        if ((uint)id < (uint)VocabularySize)
        {
            return _definition.Tokens[id];
        }

        throw new ArgumentOutOfRangeException(nameof(id), id, $"The vocabulary has ids 0 to {VocabularySize - 1}.");
    }

    private long Encode(ReadOnlySpan<byte> utf8, PiecePosition position, bool allowSpecial, List<int> ids)
    {
        if (!_encoders.TryTake(out var encoder))
        {
            encoder = _newEncoder();
        }

        var job = new Job(_definition.PreTokenizer, encoder, ids);
        (allowSpecial ? _allTokens : _ordinaryTokens).Split(
            utf8,
            position,
            static (text, position, job) => job.EncodeText(text, position),
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

        public void EncodeText(ReadOnlySpan<byte> text, PiecePosition position) =>
            preTokenizer.Split(text, position, static (word, job) => job.EncodeWord(word), this);

        private void EncodeWord(ReadOnlySpan<byte> word) => Uncovered += encoder.Encode(word, ids);
    }
}
