using Saltern.Models;
using Saltern.Tokenization;

namespace Saltern.Serve;

/// <summary>A text that is being written: draws its tokens, watches for its end, and hands out what is sure to belong to it.</summary>
/// <remarks>It is written by the thread of the engine and read through <see cref="OnText"/>.</remarks>
internal sealed class Answer
{
    /// <summary>The model ended the text, or a stop text did.</summary>
    public const string Stopped = "stop";

    /// <summary>The limit ended it.</summary>
    public const string AtLimit = "length";

    private readonly ServedModel _model;
    private readonly SamplingOptions _sampling;
    private readonly int? _alternatives;
    private readonly Random _random;
    private readonly StreamedText _text;

    /// <summary>Begins an answer.</summary>
    /// <param name="index">Of the answer in its request.</param>
    /// <param name="prompt">Ids to continue.</param>
    public Answer(ServedModel model, CompletionRequest request, int index, int[] prompt)
    {
        (_model, _sampling, _alternatives) = (model, request.Sampling, request.Alternatives);
        (Index, Prompt) = (index, prompt);
        _random = new Random(request.Sampling.Seed + index);
        _text = new StreamedText(request.Stops);
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
    public string Text => _text.Text;

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

        _text.Append(_model.Tokenizer.DecodeToBytes([token]));
        if (_text.IsStopped)
        {
            Finish(Stopped);
            return null;
        }

        if (TokenCount == _sampling.MaxTokens)
        {
            Finish(AtLimit);
            return null;
        }

        HandOut();
        return token;
    }

    /// <summary>Ends an answer to which nothing is to be added.</summary>
    public void Finish(string reason)
    {
        if (reason == AtLimit)
        {
            _text.End();
        }

        FinishReason = reason;
        HandOut();
    }

    private int _scoresHandedOut;

    private void HandOut()
    {
        string piece = _text.Take(all: FinishReason is not null);
        if (OnText is null || (piece.Length == 0 && FinishReason is null))
        {
            return;
        }

        TokenScore[] scores = [.. Scores.Skip(_scoresHandedOut)];
        _scoresHandedOut = Scores.Count;
        OnText(piece, scores);
    }
}
