using System.Text.RegularExpressions;
using Saltern.Configuration;

namespace Saltern.Evaluation;

/// <summary>How a generated answer is taken out of the text, and what does not count when it is compared.</summary>
internal sealed record AnswerRules : IValidated
{
    // A task file is not trusted to hold a harmless pattern.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>Pattern of the answer; its first group that matches, else the whole match. Null takes the text as it is.</summary>
    public string? Pattern { get; init; }

    /// <summary>Whether the last match counts instead of the first, as in lm-evaluation-harness's <c>flexible-extract</c>.</summary>
    public bool TakeLast { get; init; }

    /// <summary>Patterns removed from answer and reference before they are compared.</summary>
    public IReadOnlyList<string> Remove { get; init; } = [];

    /// <summary>Whether upper and lower case are the same.</summary>
    public bool IgnoreCase { get; init; } = true;

    /// <summary>Whether punctuation is removed before exact match.</summary>
    public bool IgnorePunctuation { get; init; }

    /// <summary>Whether a, an and the are removed before exact match, and white space is made single, as SQuAD does.</summary>
    public bool IgnoreArticles { get; init; }

    /// <summary>The answer in a generated text; empty where the pattern is not in it.</summary>
    public string Extract(string text)
    {
        if (Pattern is null)
        {
            return text.Trim();
        }

        return Within(
            Pattern,
            pattern =>
            {
                MatchCollection matches = Regex.Matches(text, pattern, RegexOptions.CultureInvariant, Patience);
                if (matches.Count == 0)
                {
                    return "";
                }

                return Value(matches[TakeLast ? ^1 : 0]).Trim();
            }
        );
    }

    /// <summary>Whether answer and reference are the same under the rules.</summary>
    public bool AreEqual(string answer, string reference) => Plain(answer) == Plain(reference);

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        foreach (string pattern in Remove.Append(Pattern ?? ""))
        {
            string? refusal = null;
            try
            {
                _ = new Regex(pattern, RegexOptions.CultureInvariant, Patience);
            }
            catch (ArgumentException e)
            {
                refusal = e.Message;
            }

            if (refusal is not null)
            {
                yield return new ConfigurationProblem(
                    pattern == Pattern ? "pattern" : "remove",
                    $"= {pattern} is no regular expression: {refusal}"
                );
            }
        }
    }

    private static string Within(string pattern, Func<string, string> match)
    {
        try
        {
            return match(pattern);
        }
        catch (RegexMatchTimeoutException)
        {
            throw new DataFormatException(
                $"The task's pattern {pattern} takes longer than {Patience.TotalSeconds:0} s on one answer: it goes back and "
                    + "forth over the text. Make its repetitions exclude each other, as in [^x]*x for .*x."
            );
        }
    }

    private string Plain(string text)
    {
        foreach (string pattern in Remove)
        {
            string before = text;
            text = Within(
                pattern,
                removed => Regex.Replace(before, removed, "", RegexOptions.CultureInvariant, Patience)
            );
        }

        if (IgnoreCase)
        {
            text = text.ToLowerInvariant();
        }

        if (IgnorePunctuation)
        {
            text = AnswerText.WithoutPunctuation(text);
        }

        if (IgnoreArticles)
        {
            return string.Join(' ', AnswerText.Words(text));
        }

        return text.Trim();
    }

    private static string Value(Match match) =>
        match.Groups.Values.Skip(1).FirstOrDefault(group => group.Success)?.Value ?? match.Value;
}

/// <summary>Word-level comparison of a generated answer with a reference.</summary>
internal static partial class AnswerText
{
    /// <summary>Token F1 of SQuAD's script: lower case, without punctuation and articles, over words with their counts. Two empty texts agree.</summary>
    public static double F1(string answer, string reference)
    {
        string[] found = Words(WithoutPunctuation(answer.ToLowerInvariant()));
        string[] wanted = Words(WithoutPunctuation(reference.ToLowerInvariant()));
        if (found.Length == 0 || wanted.Length == 0)
        {
            if (found.Length == wanted.Length)
            {
                return 1;
            }

            return 0;
        }

        return Overlap(found, wanted);
    }

    /// <summary>ROUGE-2 F-measure as in google-research/rouge without stemming: lower case, runs of a–z and 0–9 are words, pairs of neighbours with their counts.</summary>
    /// <remarks>Own lines, because no maintained .NET library has it. Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004.</remarks>
    public static double Rouge2(string answer, string reference) => Overlap(Pairs(answer), Pairs(reference));

    /// <summary>Words without a, an and the.</summary>
    internal static string[] Words(string text) =>
        Articles().Replace(text, " ").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The text without Python's string.punctuation, as SQuAD's script has it.</summary>
    internal static string WithoutPunctuation(string text) =>
        string.Concat(text.Where(c => !char.IsAscii(c) || !(char.IsPunctuation(c) || char.IsSymbol(c))));

    private static string[] Pairs(string text)
    {
        string[] words = [.. RougeWord().Matches(text.ToLowerInvariant()).Select(match => match.Value)];
        return [.. words.Zip(words.Skip(1), (first, second) => first + " " + second)];
    }

    // 2·|shared| / (|found| + |wanted|), which is the F-measure of precision and recall.
    private static double Overlap(string[] found, string[] wanted)
    {
        var left = wanted.CountBy(word => word).ToDictionary();
        int shared = 0;
        foreach (string word in found)
        {
            if (left.GetValueOrDefault(word) > 0)
            {
                left[word]--;
                shared++;
            }
        }

        if (shared == 0)
        {
            return 0;
        }

        return 2.0 * shared / (found.Length + wanted.Length);
    }

    [GeneratedRegex(@"\b(a|an|the)\b")]
    private static partial Regex Articles();

    [GeneratedRegex("[a-z0-9]+")]
    private static partial Regex RougeWord();
}
