using System.Text;
using System.Text.Json;

namespace Saltern.Evaluation;

/// <summary>RACE as lm-evaluation-harness has it: an article is one item, whose last question is asked behind the others and their answers.</summary>
/// <remarks>The records of EleutherAI/race have an <c>article</c> and its <c>problems</c>, a list in Python's spelling.</remarks>
internal static class RaceArticle
{
    // preprocess_race.py: a question that ends so is a sentence with a gap, of which it takes the last five characters.
    private const string Gap = "  _  .";

    /// <summary>A record with <c>article</c>, <c>earlier</c> (questions with answers), <c>question</c>, <c>options</c> and <c>answer</c> of the last one.</summary>
    /// <returns>Null where the record has no such problems.</returns>
    /// <exception cref="DataFormatException">It has, and they cannot be read.</exception>
    public static JsonElement? Of(JsonElement record)
    {
        if (
            record.ValueKind != JsonValueKind.Object
            || !record.TryGetProperty("article", out JsonElement article)
            || !record.TryGetProperty("problems", out JsonElement problems)
        )
        {
            return null;
        }

        Problem[] all = Read(problems);
        var earlier = new StringBuilder();
        foreach (Problem problem in all[..^1])
        {
            string answer = problem.Options["ABCD".IndexOf(problem.Answer, StringComparison.Ordinal)];
            earlier.Append(
                problem.Question.EndsWith(Gap, StringComparison.Ordinal)
                    ? $"{problem.Question[^5..]}{answer}\n"
                    : $"Question: {problem.Question}\nAnswer: {answer}\n"
            );
        }

        Problem last = all[^1];
        return JsonSerializer.SerializeToElement(
            new Dictionary<string, object?>
            {
                ["article"] = article.GetString(),
                ["earlier"] = earlier.ToString(),
                ["question"] = last.Question,
                ["options"] = last.Options,
                ["answer"] = last.Answer,
            }
        );
    }

    private static Problem[] Read(JsonElement problems)
    {
        try
        {
            string json =
                problems.ValueKind == JsonValueKind.String
                    ? PythonLiteral.ToJson(problems.GetString()!)
                    : problems.GetRawText();
            Problem[] all = JsonSerializer.Deserialize<Problem[]>(json, JsonSerializerOptions.Web) ?? [];
            if (all.Length > 0 && all.All(problem => problem.IsWhole))
            {
                return all;
            }
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw new DataFormatException($"field 'problems' cannot be read: {e.Message}", e);
        }

        throw new DataFormatException(
            "field 'problems' needs a list of question, four options and an answer of A, B, C or D each"
        );
    }

    private sealed record Problem(string Question, string Answer, string[] Options)
    {
        // JSON may lack what the constructor asks for.
        public bool IsWhole => Question is not null && Answer is "A" or "B" or "C" or "D" && Options is { Length: 4 };
    }
}
