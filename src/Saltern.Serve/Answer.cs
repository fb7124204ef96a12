using System.Text;
using Saltern.Models;

namespace Saltern.Serve;

/// <summary>A text that is being written: draws its tokens, watches for its end, and hands out what is sure to belong to it.</summary>
/// <remarks>A stop text may come in pieces, and a character in several tokens: both are held back until they are decided. It is written by the thread of the engine and read through <see cref="OnText"/>.</remarks>
internal sealed class Answer
{
    /// <summary>The model ended the text, or a stop text did.</summary>
    public const string Stopped = "stop";

    /// <summary>The limit ended it.</summary>
    public const string AtLimit = "length";

    private readonly ServedModel _model;
    private readonly SamplingOptions _sampling;
    private readonly IReadOnlyList<string> _stops;
    private readonly int? _alternatives;
    private readonly Random _random;
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly StringBuilder _text = new();
    private readonly int _longestStop;
    private int _handedOut;

    /// <summary>Begins an answer.</summary>
    /// <param name="index">Of the answer in its request.</param>
    /// <param name="prompt">Ids to continue.</param>
    public Answer(ServedModel model, CompletionRequest request, int index, int[] prompt)
    {
        (_model, _sampling, _stops, _alternatives) = (model, request.Sampling, request.Stops, request.Alternatives);
        (Index, Prompt) = (index, prompt);
        _random = new Random(request.Sampling.Seed + index);
        _longestStop = _stops.Count == 0 ? 0 : _stops.Max(stop => stop.Length);
    }

    /// <summary>Its place among the answers of a request.</summary>
    public int Index { get; }

    /// <summary>Ids to continue.</summary>
    public int[] Prompt { get; }

    /// <summary>Most tokens to draw.</summary>
    public int MaxTokens => _sampling.MaxTokens;

    /// <summary>Told each piece of text, with the tokens that have been drawn since the last one; null for none.</summary>
    public Action<string, IReadOnlyList<TokenScore>>? OnText { get; init; }

    /// <summary>Tokens drawn, the one that ends a text among them where it was drawn.</summary>
    public int TokenCount { get; private set; }

    /// <summary>Why it is over; null while it is not.</summary>
    public string? FinishReason { get; private set; }

    /// <summary>The text, without what ended it.</summary>
    public string Text => _text.ToString();

    /// <summary>Scores of the tokens of the text; empty where nobody asked.</summary>
    public List<TokenScore> Scores { get; } = [];

    /// <summary>Chooses the next token.</summary>
    /// <returns>The token; null where the text is over.</returns>
    public int? Next(ReadOnlySpan<float> logits)
    {
        int token = TextGenerator.Draw(logits, _sampling, _random);
        TokenCount++;
        if (_model.EndTokens.Contains(token))
        {
            Finish(Stopped);
            return null;
        }

        if (_alternatives is int count)
        {
            Scores.Add(TokenScore.Of(token, logits, Math.Max(1, count)));
        }

        Append(_model.Tokenizer.DecodeToBytes([token]), flush: false);
        if (StopAt() is int end)
        {
            _text.Length = end;
            Finish(Stopped);
            return null;
        }

        if (TokenCount == _sampling.MaxTokens)
        {
            Finish(AtLimit);
            return null;
        }

        HandOut(_text.Length - HeldBack());
        return token;
    }

    /// <summary>Ends an answer to which nothing is to be added.</summary>
    public void Finish(string reason)
    {
        if (reason == AtLimit)
        {
            Append([], flush: true);
        }

        FinishReason = reason;
        HandOut(_text.Length);
    }

    private int _scoresHandedOut;

    private void Append(byte[] bytes, bool flush)
    {
        char[] characters = new char[bytes.Length + 4];
        _text.Append(characters, 0, _decoder.GetChars(bytes, characters, flush));
    }

    // Where the first stop text begins; null where there is none. Only the end can hold a new one.
    private int? StopAt()
    {
        if (_longestStop == 0)
        {
            return null;
        }

        string text = _text.ToString(_handedOut, _text.Length - _handedOut);
        int first = _stops
            .Select(stop => text.IndexOf(stop, StringComparison.Ordinal))
            .Where(at => at >= 0)
            .DefaultIfEmpty(-1)
            .Min();
        return first < 0 ? null : _handedOut + first;
    }

    // Characters at the end that may be the beginning of a stop text.
    private int HeldBack()
    {
        string end = _text.ToString(_handedOut, _text.Length - _handedOut);
        for (int length = Math.Min(end.Length, _longestStop - 1); length > 0; length--)
        {
            if (_stops.Any(stop => stop.StartsWith(end[^length..], StringComparison.Ordinal)))
            {
                return length;
            }
        }

        return 0;
    }

    private void HandOut(int until)
    {
        if (OnText is null || (until <= _handedOut && FinishReason is null))
        {
            _handedOut = Math.Max(_handedOut, until);
            return;
        }

        string piece = _text.ToString(_handedOut, Math.Max(0, until - _handedOut));
        TokenScore[] scores = [.. Scores.Skip(_scoresHandedOut)];
        (_handedOut, _scoresHandedOut) = (Math.Max(_handedOut, until), Scores.Count);
        OnText(piece, scores);
    }
}
