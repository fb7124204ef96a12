using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Saltern.Configuration;

/// <summary>YAML text → nodes that know their place. Bad syntax ends it; doubled keys, merge keys and tags are collected.</summary>
internal sealed class RecipeParser
{
    /// <summary>Deeper nesting than this is no recipe, and would exhaust the stack.</summary>
    private const int MaxDepth = 64;

    /// <summary>Values in one file with every alias written out: nested aliases can ask for billions.</summary>
    private const int MaxSize = 100_000;

    private readonly Parser _parser;
    private readonly Func<Mark, RecipePlace> _placeOf;
    private readonly ProblemList _problems;
    private readonly Dictionary<string, RecipeNode> _anchors = [];

    private RecipeParser(string yaml, Func<Mark, RecipePlace> placeOf, ProblemList problems)
    {
        _parser = new Parser(new StringReader(yaml));
        _placeOf = placeOf;
        _problems = problems;
    }

    /// <summary>Reads one YAML document.</summary>
    /// <param name="placeOf">Turns a position in the text into the place that messages name.</param>
    /// <param name="problems">Receives what is wrong but does not stop the reading.</param>
    /// <returns>The root, or null when there is nothing but comments.</returns>
    /// <exception cref="ConfigurationException">Bad syntax, an unknown alias, or more than the limits allow.</exception>
    public static RecipeNode? Parse(string yaml, Func<Mark, RecipePlace> placeOf, ProblemList problems)
    {
        var parser = new RecipeParser(yaml, placeOf, problems);
        try
        {
            return parser.ReadDocument();
        }
        catch (YamlException error)
        {
            throw Refuse(
                placeOf(error.Start),
                $"this is not valid YAML: {MessageText.OfText(error.Message.TrimEnd('.'))}."
            );
        }
        catch (Exception error)
            when (error
                    is InvalidOperationException
                        or ArgumentException
                        or IndexOutOfRangeException
                        or OverflowException
            )
        {
            // The scanner meets some malformed input with such exceptions; its position is then the only clue.
            throw Refuse(placeOf(parser._parser.Current?.End ?? Mark.Empty), "this is not valid YAML from here on.");
        }
    }

    private static ConfigurationException Refuse(RecipePlace place, string message) => new($"{place}: {message}");

    private RecipeNode? ReadDocument()
    {
        Next<StreamStart>();
        if (!_parser.MoveNext() || _parser.Current is StreamEnd)
        {
            return null;
        }

        _parser.MoveNext();
        RecipeNode root = ReadNode(1);
        Next<DocumentEnd>();
        _parser.MoveNext();
        if (_parser.Current is DocumentStart second)
        {
            throw Refuse(
                _placeOf(second.Start),
                "a second YAML document begins here. Keep one; remove the line '---'."
            );
        }

        return root;
    }

    private RecipeNode ReadNode(int depth)
    {
        if (_parser.Current is AnchorAlias alias)
        {
            if (_anchors.TryGetValue(alias.Value.Value, out RecipeNode? target))
            {
                return target;
            }

            throw Refuse(
                _placeOf(alias.Start),
                $"alias *{MessageText.OfText(alias.Value.Value)} is used before its anchor is complete. "
                    + $"Define it above with &{MessageText.OfText(alias.Value.Value)}."
            );
        }

        // Some malformed input, such as a key right after an indented tab, makes the parser close a map it has not filled.
        if (_parser.Current is not NodeEvent node)
        {
            throw Unexpected("value");
        }

        RecipePlace place = _placeOf(node.Start);
        if (!node.Tag.IsEmpty && !node.Tag.IsNonSpecific)
        {
            _problems.Add(place, $"the tag {MessageText.OfText(node.Tag.Value)} is not used in recipes. Remove it.");
        }

        CheckLimits(place, depth, size: 1);
        RecipeNode read = node switch
        {
            Scalar scalar => new RecipeScalar(place, scalar.Value, scalar.Style == ScalarStyle.Plain),
            SequenceStart => ReadList(place, depth),
            _ => ReadMap(place, depth),
        };
        CheckLimits(place, read.Height, read.Size);
        if (!node.Anchor.IsEmpty)
        {
            _anchors[node.Anchor.Value] = read;
        }

        return read;
    }

    private RecipeList ReadList(RecipePlace place, int depth)
    {
        var items = new List<RecipeNode>();
        long size = 1;
        while (_parser.MoveNext() && _parser.Current is not SequenceEnd)
        {
            items.Add(ReadNode(depth + 1));
            CheckLimits(place, depth, size += items[^1].Size);
        }

        return new RecipeList(place, items);
    }

    private RecipeMap ReadMap(RecipePlace place, int depth)
    {
        var entries = new OrderedDictionary<string, RecipeEntry>();
        long size = 1;
        while (_parser.MoveNext() && _parser.Current is not MappingEnd)
        {
            RecipeNode key = ReadNode(depth + 1);
            _parser.MoveNext();
            RecipeNode value = ReadNode(depth + 1);
            CheckLimits(place, depth, size += value.Size);
            AddEntry(entries, key, value);
        }

        return new RecipeMap(place, entries);
    }

    private void AddEntry(OrderedDictionary<string, RecipeEntry> entries, RecipeNode key, RecipeNode value)
    {
        if (key is not RecipeScalar { Text: var name, IsPlain: var isPlain })
        {
            _problems.Add(key.Place, $"a key is {key.Kind}; keys are words.");
        }
        else if (isPlain && name == "<<")
        {
            _problems.Add(
                key.Place,
                "merge keys (<<) are not supported. Write the keys out, or use an alias for the whole section."
            );
        }
        else if (entries.TryGetValue(name, out RecipeEntry? first))
        {
            _problems.Add(
                key.Place,
                $"the key {MessageText.OfText(name)} is given twice, first at {first.KeyPlace}. Remove one."
            );
        }
        else
        {
            entries.Add(name, new RecipeEntry(key.Place, value));
        }
    }

    private static void CheckLimits(RecipePlace place, int depth, long size)
    {
        if (depth > MaxDepth)
        {
            throw Refuse(place, $"more than {MaxDepth} levels of nesting. A recipe needs four or five.");
        }

        if (size > MaxSize)
        {
            throw Refuse(place, $"more than {MaxSize} values with aliases written out. A recipe needs some dozens.");
        }
    }

    private void Next<T>()
        where T : ParsingEvent
    {
        if (!_parser.MoveNext() || _parser.Current is not T)
        {
            throw Unexpected(typeof(T).Name);
        }
    }

    private YamlException Unexpected(string wanted) =>
        new(
            _parser.Current?.Start ?? Mark.Empty,
            _parser.Current?.End ?? Mark.Empty,
            $"While reading the structure, found no {wanted}."
        );
}
