using System.Text;
using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

public class StreamedTextTests
{
    [Fact]
    public void AStopTextInPieces_IsHeldBack_AndLeftOut()
    {
        var text = new StreamedText(["User:"]);
        Assert.Equal("a ", Add(text, "a U")); // U may begin it
        Assert.Equal("Us ", Add(text, "s ")); // and did not
        Assert.Equal("b\n", Add(text, "b\nUser"));
        Assert.False(text.IsStopped);
        Assert.Equal("", Add(text, ": c"));
        Assert.True(text.IsStopped);
        Assert.Equal("a Us b\n", text.Text);
        Assert.Equal("", text.Take(all: true));
    }

    [Fact]
    public void OfTwoStopTexts_TheFirstInTheTextEndsIt()
    {
        var text = new StreamedText(["##", "\n"]);
        Add(text, "one\ntwo##");
        Assert.Equal("one", text.Text);
        var nested = new StreamedText(["abcd", "bc"]);
        Assert.Equal("x", Add(nested, "xab"));
        Assert.Equal("a", Add(nested, "c")); // 'bc' is there before 'abcd' can be
        Assert.True(nested.IsStopped);
    }

    [Fact]
    public void ACharacterInSeveralTokens_ComesWhole_AndHalfOfOneIsSaid()
    {
        byte[] bytes = Encoding.UTF8.GetBytes("é🐦");
        var text = new StreamedText([]);
        string read = "";
        foreach (byte each in bytes)
        {
            text.Append([each]);
            read += text.Take(all: false);
        }

        Assert.Equal("é🐦", read);
        text.Append([bytes[0]]);
        Assert.Equal("", text.Take(all: false));
        text.End();
        Assert.Equal("\uFFFD", text.Take(all: true));
    }

    [Fact]
    public void HeldBackText_ComesWithTheEnd()
    {
        var text = new StreamedText(["stop"]);
        Assert.Equal("", Add(text, "sto"));
        Assert.Equal("sto", text.Take(all: true));
    }

    private static string Add(StreamedText text, string more)
    {
        text.Append(Encoding.UTF8.GetBytes(more));
        return text.Take(all: false);
    }
}
