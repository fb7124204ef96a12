namespace Saltern.Tokenization;

/// <summary>Cuts UTF-8 into pre-tokens exactly as the regular expressions of <see cref="SplitPatterns"/> do, in one forward pass.</summary>
/// <remarks>
/// Each rule below names the alternative of the expression that it stands for. The expressions cover every code point, so the
/// pieces joined are the text. Ignoring case is Unicode's simple folding, as in the Rust library: 's also matches 'ſ (U+017F).
/// </remarks>
internal static class PatternScanner
{
    /// <summary>Length in bytes, at least 1, of the pre-token that starts at <paramref name="start"/>.</summary>
    public static int Next(SplitPattern pattern, ReadOnlySpan<byte> text, int start)
    {
        if (pattern == SplitPattern.Gpt2)
        {
            return NextGpt2(text, start);
        }

        return NextLlama(text, start, pattern == SplitPattern.Llama3 ? 3 : 1);
    }

    private static int NextGpt2(ReadOnlySpan<byte> text, int start)
    {
        if (text[start] == '\'' && Contraction(text[start..], ignoreCase: false) is > 0 and var contraction)
        {
            return contraction;
        }

        // ' ?\p{L}+', ' ?\p{N}+', ' ?[^\s\p{L}\p{N}]+': one run of a class, with a space in front if there is one.
        var kind = CharacterClasses.Read(text, start, out var length);
        var run = start;
        if (text[start] == ' ' && start + 1 < text.Length)
        {
            run = start + 1;
            kind = CharacterClasses.Read(text, run, out length);
        }

        if (kind is CharacterClass.Blank or CharacterClass.LineBreak)
        {
            return Blanks(text, start, cutAtLineBreak: false);
        }

        return RunEnd(text, run + length, kind, int.MaxValue) - start;
    }

    private static int NextLlama(ReadOnlySpan<byte> text, int start, int maximumDigits)
    {
        if (text[start] == '\'' && Contraction(text[start..], ignoreCase: true) is > 0 and var contraction)
        {
            return contraction;
        }

        // '[^\r\n\p{L}\p{N}]?\p{L}+' and '\p{N}{1,3}'
        var kind = CharacterClasses.Read(text, start, out var length);
        var second = start + length;
        switch (kind)
        {
            case CharacterClass.Letter:
                return RunEnd(text, second, CharacterClass.Letter, int.MaxValue) - start;
            case CharacterClass.Number:
                return RunEnd(text, second, CharacterClass.Number, maximumDigits - 1) - start;
        }

        if (second < text.Length && kind != CharacterClass.LineBreak)
        {
            var next = CharacterClasses.Read(text, second, out var nextLength);
            if (next == CharacterClass.Letter)
            {
                return RunEnd(text, second + nextLength, CharacterClass.Letter, int.MaxValue) - start;
            }

            if (next == CharacterClass.Other && text[start] == ' ')
            {
                kind = CharacterClass.Other;
            }
        }

        // ' ?[^\s\p{L}\p{N}]+[\r\n]*'
        if (kind == CharacterClass.Other)
        {
            var end = RunEnd(text, second, CharacterClass.Other, int.MaxValue);
            while (end < text.Length && text[end] is (byte)'\r' or (byte)'\n')
            {
                end++;
            }

            return end - start;
        }

        return Blanks(text, start, cutAtLineBreak: true);
    }

    /// <summary>'\s*[\r\n]+' (where wanted), then '\s+(?!\S)', then '\s+'.</summary>
    private static int Blanks(ReadOnlySpan<byte> text, int start, bool cutAtLineBreak)
    {
        var end = start;
        var last = start;
        var afterLineBreak = start;
        while (end < text.Length)
        {
            var kind = CharacterClasses.Read(text, end, out var length);
            if (kind is not (CharacterClass.Blank or CharacterClass.LineBreak))
            {
                break;
            }

            last = end;
            end += length;
            if (kind == CharacterClass.LineBreak)
            {
                afterLineBreak = end;
            }
        }

        if (cutAtLineBreak && afterLineBreak > start)
        {
            return afterLineBreak - start;
        }

        // A run that ends the text is one piece; any other leaves its last blank to the word that follows.
        if (end == text.Length || last == start)
        {
            return end - start;
        }

        return last - start;
    }

    private static int RunEnd(ReadOnlySpan<byte> text, int position, CharacterClass kind, int maximumCount)
    {
        for (var count = 0; count < maximumCount && position < text.Length; count++)
        {
            if (CharacterClasses.Read(text, position, out var length) != kind)
            {
                break;
            }

            position += length;
        }

        return position;
    }

    /// <summary>Length of 's 't 're 've 'm 'll or 'd at the start of the text, 0 if there is none.</summary>
    private static int Contraction(ReadOnlySpan<byte> text, bool ignoreCase)
    {
        if (text.Length < 2)
        {
            return 0;
        }

        var fold = ignoreCase ? 0x20 : 0;
        var first = text[1] | fold;
        if (first is 's' or 'd' or 'm' or 't')
        {
            return 2;
        }

        if (text.Length < 3)
        {
            return 0;
        }

        var second = text[2] | fold;
        if ((first == 'l' && second == 'l') || (first is 'v' or 'r' && second == 'e'))
        {
            return 3;
        }

        bool isLongS = text[1] == 0xC5 && text[2] == 0xBF; // U+017F
        return ignoreCase && isLongS ? 3 : 0;
    }
}
