using System.Globalization;
using System.Text;
using Saltern.Corpora;

namespace Saltern.Cli.Demo;

/// <summary>Text made by rules from a seed, for machines without any text of their own; the caller should say so plainly.</summary>
/// <remarks>
/// Three domains that a small model can learn to different degrees: <c>stories</c> (a few characters who keep their names, places and things through
/// the story), <c>sums</c> (arithmetic in words, always right) and <c>records</c> (lists whose later lines repeat facts of earlier ones).
/// The same seed gives the same text on every machine.
/// </remarks>
public static class GeneratedText
{
    private static readonly string[] Names =
    [
        "Ada",
        "Bruno",
        "Clara",
        "Dario",
        "Edith",
        "Felix",
        "Greta",
        "Hugo",
        "Ines",
        "Jonas",
        "Karla",
        "Lina",
        "Milo",
        "Nora",
        "Otto",
        "Paula",
    ];
    private static readonly string[] Places =
    [
        "the harbour",
        "the old mill",
        "the market",
        "the forest",
        "the library",
        "the bridge",
        "the garden",
        "the lighthouse",
        "the salt works",
        "the valley",
    ];
    private static readonly string[] Things =
    [
        "a lamp",
        "a map",
        "a small boat",
        "a basket of apples",
        "a silver key",
        "a letter",
        "a violin",
        "a bag of salt",
        "a clock",
        "a blue scarf",
    ];
    private static readonly string[] Animals = ["a dog", "a grey cat", "an owl", "a goat", "a young fox", "a donkey"];
    private static readonly string[] Weather =
    [
        "It was raining",
        "The sun was out",
        "A cold wind blew",
        "Fog lay on the fields",
        "Snow had fallen in the night",
    ];
    private static readonly string[] Moods = ["happy", "tired", "curious", "worried", "proud", "silent"];
    private static readonly string[] Colours = ["red", "green", "white", "black", "yellow", "brown"];

    /// <summary>Makes documents until they hold at least <paramref name="bytes"/> bytes together.</summary>
    /// <param name="seed">Any number; every bit counts.</param>
    /// <param name="bytes">UTF-8 bytes wanted, at least 1.</param>
    public static IEnumerable<TextDocument> Generate(ulong seed, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        return Documents();

        IEnumerable<TextDocument> Documents()
        {
            Draws draws = new(seed);
            long made = 0;
            while (made < bytes)
            {
                (string domain, string text) = draws.Below(4) switch
                {
                    0 => ("sums", Sums(draws)),
                    1 => ("records", Records(draws)),
                    _ => ("stories", Story(draws)),
                };
                TextDocument document = TextDocument.FromText(text, domain, "generated");
                made += document.Utf8.Length;
                yield return document;
            }
        }
    }

    private static string Story(Draws draws)
    {
        string hero = draws.Of(Names);
        string friend = draws.Of(Names, except: hero);
        string home = draws.Of(Places);
        string away = draws.Of(Places, except: home);
        string thing = draws.Of(Things);
        string it = thing[(thing.IndexOf(' ', StringComparison.Ordinal) + 1)..];
        string animal = draws.Of(Animals);
        string beast = animal[(animal.IndexOf(' ', StringComparison.Ordinal) + 1)..];
        StringBuilder text = new();
        text.Append(
            CultureInfo.InvariantCulture,
            $"{hero} lived near {home} with {animal}. {draws.Of(Weather)}, and {hero} was {draws.Of(Moods)}. "
        );
        text.Append(
            CultureInfo.InvariantCulture,
            $"One day {hero} found {thing} and wanted to bring it to {friend}, who lived near {away}.\n\n"
        );
        int scenes = 2 + draws.Below(4);
        for (int scene = 0; scene < scenes; scene++)
        {
            string place = draws.Of(Places);
            text.Append(
                draws.Below(5) switch
                {
                    0 => $"On the way {hero} came to {place}. "
                        + $"The {beast} did not want to go on, so they rested. {draws.Of(Weather)} there. ",
                    1 => $"\"Where are you going?\" asked someone at {place}. "
                        + $"\"To {away},\" said {hero}, \"to bring {friend} the {it}.\" ",
                    2 =>
                        $"At {place} the {it} was nearly lost, but the {beast} saw it and {hero} was {draws.Of(Moods)} again. ",
                    3 =>
                        $"{hero} counted {2 + draws.Below(9)} steps, then {2 + draws.Below(9)} more, and stood before {place}. ",
                    _ => $"Near {place} {hero} thought of {home} and felt {draws.Of(Moods)}. The {beast} waited. ",
                }
            );
        }

        text.Append(
            CultureInfo.InvariantCulture,
            $"\n\nAt last {hero} and the {beast} reached {away}. {friend} was {draws.Of(Moods)} to see them. "
        );
        text.Append(
            CultureInfo.InvariantCulture,
            $"\"This {it} is for you,\" said {hero}. {friend} thanked {hero}, and in the evening {hero} went back to {home}.\n"
        );
        return text.ToString();
    }

    private static string Sums(Draws draws)
    {
        StringBuilder text = new();
        int lines = 6 + draws.Below(10);
        for (int line = 0; line < lines; line++)
        {
            int a = 1 + draws.Below(99);
            int b = 1 + draws.Below(99);
            string name = draws.Of(Names);
            text.Append(
                draws.Below(4) switch
                {
                    0 => $"{a} + {b} = {a + b}\n",
                    1 => $"{a + b} - {b} = {a}\n",
                    2 => $"{name} has {a} apples and gets {b} more. Now {name} has {a + b} apples.\n",
                    _ => $"{name} had {a + b} coins and gave away {b}. So {name} keeps {a} coins.\n",
                }
            );
        }

        return text.ToString();
    }

    private static string Records(Draws draws)
    {
        StringBuilder rows = new();
        StringBuilder facts = new();
        string town = draws.Of(Places)[4..];
        rows.Append(CultureInfo.InvariantCulture, $"List of the {town}, number {1 + draws.Below(9999)}\n\n");
        HashSet<string> used = new(StringComparer.Ordinal);
        int count = 3 + draws.Below(5);
        for (int row = 0; row < count; row++)
        {
            string name = draws.Of(Names);
            if (used.Add(name))
            {
                string colour = draws.Of(Colours);
                int age = 6 + draws.Below(80);
                rows.Append(CultureInfo.InvariantCulture, $"- name: {name}, age: {age}, door: {colour}\n");
                facts.Append(
                    draws.Below(2) == 0 ? $"{name} is {age} years old. " : $"The door of {name} is {colour}. "
                );
            }
        }

        return rows.Append('\n').Append(facts).Append('\n').ToString();
    }

    /// <summary>SplitMix64: few lines, good enough for choosing words, and the same on every platform and runtime.</summary>
    private sealed class Draws(ulong seed)
    {
        private ulong _state = seed;

        public int Below(int bound)
        {
            ulong z = _state += 0x9E3779B97F4A7C15;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return (int)Math.BigMul(z ^ (z >> 31), (ulong)bound, out _);
        }

        public string Of(string[] words, string? except = null)
        {
            string word;
            do
            {
                word = words[Below(words.Length)];
            } while (word == except);
            return word;
        }
    }
}
