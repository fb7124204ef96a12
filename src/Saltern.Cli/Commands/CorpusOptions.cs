using System.CommandLine;
using Saltern.Corpora;

namespace Saltern.Cli.Commands;

/// <summary>The options of verbs that read text: which files, which fields, what is too broken.</summary>
public sealed class CorpusOptions
{
    private static readonly CorpusReaderOptions Defaults = new();

    private readonly Option<string[]> _textField = Many(
        "--text-field",
        "Field or column of the text; several are tried in order. Dots go deeper."
    );
    private readonly Option<string[]> _domainField = Many(
        "--domain-field",
        "Field or column that names the domain; several are tried in order. "
            + "By default domain, then meta.pile_set_name, where their values look like domains."
    );
    private readonly Option<DomainSource?> _domain = new("--domain")
    {
        Description =
            "What names the domain: none, the file, or a field. By default a usual field where it holds domains, else the file.",
    };
    private readonly Option<string?> _encoding = new("--encoding")
    {
        Description =
            "Encoding of text and JSON without a byte order mark, such as windows-1252 or utf-16le; UTF-8 by default.",
    };
    private readonly Option<SpecialTokenText?> _special = new("--special-tokens")
    {
        Description =
            "Special tokens spelled out in text: kept as text, split at end-of-text marks, or refuse the document. "
            + "By default text files full of end-of-text marks are split, all else is text.",
    };
    private readonly Option<int?> _piece = new("--text-piece-bytes")
    {
        Description = "Cut .txt and .md files into documents of about this many bytes.",
    };
    private readonly Option<double> _broken = new("--max-broken-percent")
    {
        Description = "Percentage of broken records, and of broken files, that is passed over.",
        DefaultValueFactory = _ => Defaults.MaxBrokenShare * 100,
    };
    private readonly Option<int> _expansion = new("--max-expansion")
    {
        Description = "An archive that expands more than this many times is taken for a bomb.",
        DefaultValueFactory = _ => Defaults.MaxExpansion,
    };

    /// <summary><c>--input PATH…</c>.</summary>
    public Option<string[]> Input { get; } =
        new("--input")
        {
            Description = $"Text: files ({CorpusFile.SupportedEndings}), folders or globs.",
            Required = true,
            AllowMultipleArgumentsPerToken = true,
        };

    /// <summary>Adds all of them to a verb.</summary>
    public void AddTo(Command command)
    {
        command.Add(Input);
        command.Add(_textField);
        command.Add(_domainField);
        command.Add(_domain);
        command.Add(_encoding);
        command.Add(_special);
        command.Add(_piece);
        command.Add(_broken);
        command.Add(_expansion);
    }

    /// <summary>How to read, as the user wants it.</summary>
    public CorpusReaderOptions Read(ParseResult parsed) =>
        new()
        {
            TextFields = parsed.GetValue(_textField) is { Length: > 0 } fields ? fields : Defaults.TextFields,
            DomainFields = parsed.GetValue(_domainField) is { Length: > 0 } domains ? domains : null,
            Domains = parsed.GetValue(_domain),
            Encoding = parsed.GetValue(_encoding),
            SpecialTokens = parsed.GetValue(_special),
            TextPieceBytes = parsed.GetValue(_piece),
            MaxBrokenShare = parsed.GetValue(_broken) / 100,
            MaxExpansion = parsed.GetValue(_expansion),
        };

    private static Option<string[]> Many(string name, string description) =>
        new(name) { Description = description, AllowMultipleArgumentsPerToken = true };
}
